"""Cuts photos for the parser and says what their landmarks tell of every pixel.

    python -m train.parsing.prepare --data DATA/faces --output runs/parsing_photos

Leaves ``images.npy`` (N, 160, 160, 3) uint8, ``allowed.npy`` (N, 160, 160) uint8 as in ``labels``, and ``photos.npz``
with ``landmarks`` (N, 68, 2), ``pack`` and ``name``.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.progress import track

from facerecon.faces.align import points_from_landmarks, similarity_from_points, transform_points, warp
from facerecon.faces.landmarker import FaceLandmarker
from facerecon.faces.parsing import TEMPLATE
from train.command_line import command
from train.landmarks.data import read_image, read_landmarks
from train.landmarks.label import YTF_SHIFT_PX
from train.landmarks.packs import FRAMINGS, photos
from train.parsing.labels import UNSEEN, from_landmarks
from train.parsing.synthetic import STORED, STORED_FACE

PER_PACK = {"portraits": 350, "stock": 500, "lfw": 500, "ytf": 600, "utkface": 700, "fairface": 500, "scut": 300}
SURE = 0.9  # the landmarker's confidence in faces that are taken


def stored_crop(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crop (S, S, 3), what its pixels may be (S, S), and the landmarks (68, 2) within it."""
    matrix = similarity_from_points(points_from_landmarks(landmarks), STORED_FACE, TEMPLATE)
    matrix[:, 2] += (STORED - STORED_FACE) / 2
    points = transform_points(landmarks, matrix).astype(np.float32)
    inside = warp(np.full(image.shape[:2], 255, np.uint8), matrix, STORED, cv2.BORDER_CONSTANT) > 250
    allowed = np.where(cv2.erode(inside.astype(np.uint8), np.ones((5, 5))) > 0, from_landmarks(points, STORED), UNSEEN)
    return warp(image, matrix, STORED, cv2.BORDER_REPLICATE), allowed.astype(np.uint8), points


def chosen_photos(root: Path) -> dict[str, list[Path]]:
    """The files of each pack, evenly thinned to ``PER_PACK``."""
    packs: dict[str, list[Path]] = defaultdict(list)
    for photo in photos(root):
        packs[photo.pack].append(photo.path)
    packs["ytf"] = [root / "YTF" / name for name in sorted(read_landmarks(root / "YTF" / "landmarks68.csv"))]
    thin = lambda files, most: [files[i] for i in np.linspace(0, len(files) - 1, min(most, len(files))).astype(int)]  # noqa: E731
    return {pack: thin(files, PER_PACK.get(pack, len(files))) for pack, files in packs.items() if files}


def prepare(root: Path, output: Path, limit: int | None = None) -> int:
    """Writes the arrays; returns how many photos were kept."""
    landmarker, true = FaceLandmarker.from_pretrained("cpu"), read_landmarks(root / "YTF" / "landmarks68.csv")
    rows = []
    for pack, files in chosen_photos(root).items():
        for path in track(files[:limit], description=pack):
            image = read_image(path)
            if pack == "ytf":
                landmarks = true[path.name] - YTF_SHIFT_PX
            else:
                landmarks = _find(landmarker, image, pack)
            if landmarks is not None:
                rows.append((*stored_crop(image, landmarks), pack, str(path.relative_to(root))))
    output.mkdir(parents=True, exist_ok=True)
    images, allowed, points, names, paths = (list(column) for column in zip(*rows))
    np.save(output / "images.npy", np.stack(images))
    np.save(output / "allowed.npy", np.stack(allowed))
    np.savez(output / "photos.npz", landmarks=np.stack(points), pack=np.array(names), name=np.array(paths))
    return len(rows)


def _find(landmarker: FaceLandmarker, image: np.ndarray, pack: str) -> np.ndarray | None:
    """Landmarks (68, 2) of the face that the pack's framing promises, or None where nothing sure is there."""
    framing, best, sure = FRAMINGS[pack], None, SURE
    height, width = image.shape[:2]
    for scale in framing.scales:
        side = 0.42 * scale * max(height, width)  # a face's box has about this share of the crop
        centre = np.array(framing.center) * (width, height)
        found = landmarker.predict(image, [np.concatenate([centre - side / 2, centre + side / 2])], looks=3, mirrored=False)
        if found.confidence[0] > sure:
            best, sure = found.points[0], float(found.confidence[0])
    return best


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the packs")
    parser.add_argument("--output", type=Path, default=Path("runs/parsing_photos"))
    parser.add_argument("--limit", type=int, help="at most this many photos of each pack")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(prepare(args.data, args.output, args.limit))


if __name__ == "__main__":
    command(main)
