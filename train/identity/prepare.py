"""Finds, aligns and packs the faces that the embedding learns from.

    python -m train.identity.prepare --data DATA/faces --eval DATA/eval --output runs/identity/faces

Writes ``images.npy``, (N, 128, 128, 3) uint8: the ``"identity"`` crop of 112 pixels in the
middle, with room around it to move; and ``labels.npz`` (see :data:`FIELDS`). Nobody who is in
LFW's evaluation pairs is kept, neither from LFW nor from YouTube Faces, which share people.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from facerecon.demographics import RACES
from facerecon.faces.align import similarity_from_points, warp
from facerecon.faces.mtcnn import MtcnnCascade
from facerecon.types import Image
from train.command_line import command
from train.data import open_dataset
from train.data.packs import FaceLabels

STORED, CROP = 128, 112  # pixels: of the stored picture, of the crop in its middle
FIELDS = ("person", "pack", "age", "gender", "race")
PACKS = {
    "LFW": "lfw",
    "YTF": "ytf_keypoints",
    "UTKFace": "utkface",
    "FairFace": "fairface",
    "SCUT-FBP5500": "scut_fbp5500",
    "portraits": "official_portraits",
    "studio": "image_folder",
    "stock": "image_folder",
}
_PADDING = 0.25  # of the side: in tight crops a detector wants to see around the face
_LONG_SIDE, _LEAST_FACE = 160, 48  # pixels: what the detector looks at, and the faces it looks for
_MOST_SHIFT = 0.3  # of the side, between the middle of the photo and of the face

_detector: list[MtcnnCascade] = []


def find_points(image: Image) -> np.ndarray | None:
    """The five points (5, 2) of the face that fills a photo, pixels; None where none is seen there."""
    if not _detector:
        cv2.setNumThreads(1)
        _detector.append(MtcnnCascade())
    pad = [round(side * _PADDING) for side in image.shape[:2]]
    padded = cv2.copyMakeBorder(image, pad[0], pad[0], pad[1], pad[1], cv2.BORDER_REFLECT_101)
    zoom = _LONG_SIDE / max(padded.shape[:2])
    small = cv2.resize(padded, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    boxes, points, _ = _detector[0].run(small, _LEAST_FACE)
    if len(boxes) == 0:
        return None
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array(small.shape[1::-1]) / 2
    best = int(np.argmin(np.linalg.norm(middle, axis=1)))
    if np.abs(middle[best]).max() > _MOST_SHIFT * _LONG_SIDE:
        return None
    return (points[best] + 0.5) / zoom - 0.5 - np.array(pad[::-1])


def stored_crop(image: Image, points: np.ndarray) -> Image:
    """(128, 128, 3): the identity crop with a margin, mirrored where the photo ends."""
    matrix = similarity_from_points(points, CROP, "identity")
    matrix[:, 2] += (STORED - CROP) / 2
    return warp(image, matrix, STORED)


def person_of(pack: str, name: str, labels: FaceLabels) -> str:
    """Who it is: a person's name, or the photo's own where nobody is named."""
    if labels.person and pack in ("LFW", "YTF"):
        return labels.person
    if pack == "studio" and name.startswith(("neutral_front_", "smiling_front_")):  # then a person, then the expression
        return "studio/" + name.split("_")[2]
    return f"{pack}/{name}"


def age_of(labels: FaceLabels) -> float:
    """Years, the middle of a range, or NaN."""
    if labels.age is not None:
        return labels.age
    return float(np.mean(labels.age_range)) if labels.age_range else float("nan")


def _load(task: tuple[Path, str, tuple[str, ...]]) -> tuple[list[tuple], np.ndarray]:
    """The faces of some photos of one pack."""
    path, pack, names = task
    reader = open_dataset(PACKS[pack], path)
    index = {name: i for i, name in enumerate(reader.names)}
    rows, crops = [], []
    for name in names:
        image, labels = reader.image(index[name]), reader.labels(index[name])
        points = find_points(image)
        if points is None:
            continue
        gender = {"female": 0, "male": 1}.get(labels.gender, -1)
        race = RACES.index(labels.race) if labels.race in RACES else -1
        rows.append((person_of(pack, Path(name).stem, labels), pack, age_of(labels), gender, race))
        crops.append(stored_crop(image, points))
    return rows, np.stack(crops) if crops else np.zeros((0, STORED, STORED, 3), np.uint8)


def _tasks(root: Path, left_out: set[str], limit: int | None) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    for pack, layout in PACKS.items():
        if not (root / pack).exists():
            continue
        reader = open_dataset(layout, root / pack)
        named = [n for i, n in enumerate(reader.names[:limit]) if reader.labels(i).person not in left_out]
        for start in range(0, len(named), 500):
            yield root / pack, pack, tuple(named[start : start + 500])


def prepare(root: Path, evaluation: Path, output: Path, workers: int = 2, limit: int | None = None) -> dict[str, int]:
    """Packs everything; returns how many faces of each pack were kept."""
    left_out = {folder.name for folder in (evaluation / "LFW").iterdir() if folder.is_dir()}
    output.mkdir(parents=True, exist_ok=True)
    rows, crops = [], []
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for more_rows, more_crops in pool.imap(_load, list(_tasks(root, left_out, limit))):
            rows += more_rows
            crops.append(more_crops)
            print(f"{len(rows)} faces", flush=True)
    np.save(output / "images.npy", np.concatenate(crops))
    columns = {name: np.array([row[i] for row in rows]) for i, name in enumerate(FIELDS)}
    np.savez(output / "labels.npz", **columns)
    return {str(pack): int((columns["pack"] == pack).sum()) for pack in np.unique(columns["pack"])}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the packs")
    parser.add_argument("--eval", type=Path, required=True, help="folder with LFW's evaluation pairs: whom to leave out")
    parser.add_argument("--output", type=Path, default=Path("runs/identity/faces"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int, help="at most this many photos of each pack")
    args = parser.parse_args()
    print(prepare(args.data, args.eval, args.output, args.workers, args.limit))


if __name__ == "__main__":
    command(main)
