"""Reconstructed contours over real photos, to look at; ``best.png`` and ``worst.png`` by how well the head fits the points found.

    python -m train.reconstruction.overlay_sheet --data DATA/eval/UTKFace DATA/eval/FairFace --output OUT --count 60
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from facerecon.images import save_image
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.types import Image
from train.command_line import command
from train.data.packs import FacePack
from train.reconstruction.evaluate import find_faces

SIDE, COLUMNS, ROWS, RANKED = 320, 5, 4, 10
CONTOURS = (
    (range(17), False), (range(17, 22), False), (range(22, 27), False), (range(27, 31), False), (range(31, 36), False),
    (range(36, 42), True), (range(42, 48), True), (range(48, 60), True), (range(60, 68), True),
)  # fmt: skip
COLOUR, SHIFT = (90, 255, 60), 3


def draw_contours(photo: Image, landmarks: np.ndarray) -> Image:
    """A photo (H, W, 3), enlarged to ``SIDE``, with the 68 landmarks (68, 2) joined to contours."""
    zoom = SIDE / max(photo.shape[:2])
    picture = cv2.resize(photo, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    points = np.round(((landmarks + 0.5) * zoom - 0.5) * 2**SHIFT).astype(np.int32)
    for index, closed in CONTOURS:
        cv2.polylines(picture, [points[list(index)]], closed, COLOUR, 1, cv2.LINE_AA, SHIFT)
    canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
    canvas[: picture.shape[0], : picture.shape[1]] = picture[:SIDE, :SIDE]
    return canvas


def spread_names(pack: FacePack, count: int) -> list[int]:
    """About ``count`` images spread over the sorted names, which in UTKFace go by age, gender and race."""
    return [int(i) for i in np.linspace(0, len(pack) - 1, min(count, len(pack)))]


def sheet_of(tiles: list[Image]) -> Image:
    """Tiles of one size in rows of ``COLUMNS``."""
    tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    return np.vstack([np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders or tars of photos")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--weights", type=Path)
    args = parser.parse_args()
    reconstructor = HeadReconstructor.from_pretrained(path=args.weights)
    tiles, scores = [], []
    for path in args.data:
        pack = FacePack(path)
        rows = spread_names(pack, args.count // len(args.data))
        images = [pack.image(i) for i in rows]
        faces, missed = find_faces(images)
        heads = reconstructor.reconstruct(images, faces, textured=False)
        tiles += [draw_contours(image, head.landmarks_68) for image, head in zip(images, heads)]
        scores += [{"name": pack.names[i], **{k: round(v, 3) for k, v in h.quality.items()}} for i, h in zip(rows, heads)]
        print(json.dumps({"folder": path.name, "faces": len(rows), "not_found": missed}))
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "overlays.json").write_text(json.dumps(scores, indent=1))
    for page, start in enumerate(range(0, len(tiles), COLUMNS * ROWS)):
        save_image(args.output / f"overlays_{page}.png", sheet_of(tiles[start : start + COLUMNS * ROWS]))
    order = sorted(range(len(tiles)), key=lambda i: -scores[i]["landmark_fit"])
    for name, chosen in (("best", order[:RANKED]), ("worst", order[::-1][:RANKED])):
        save_image(args.output / f"{name}.png", sheet_of([tiles[i] for i in chosen]))


if __name__ == "__main__":
    command(main)
