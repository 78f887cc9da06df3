"""Aligns the faces of UTKFace and FairFace once, and packs them with their labels.

    python -m train.demographics.prepare --utkface utkface_sharp.tar utkface_rest.tar \
        --fairface fairface_sharp.tar fairface_rest.tar --landmarks runs/landmarks/landmarks.safetensors --output runs/demographics_data

The packs may be folders or tars. Alignment is by the landmark network of ``train.landmarks``,
whose five points lie where the shipped detector's do. The output holds ``images.npy``,
(N, 128, 128, 3) uint8 (the estimator's crop with room around it), and ``labels.npz`` (``FIELDS``).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from facerecon.demographics.categories import FAIRFACE_RACES, UTKFACE_RACES
from facerecon.demographics.crops import crop_matrix
from facerecon.faces.align import points_from_landmarks, warp
from train.command_line import command
from train.data import open_dataset
from train.data.packs import FaceLabels
from train.landmarks.label import Labeller
from train.landmarks.packs import FRAMINGS

SIZE, MARGIN = 96, 16
STORED = SIZE + 2 * MARGIN
# The reader's ages are whole years; a bin of one year holds everybody of that age.
FIELDS = ("youngest", "oldest", "male", "utkface_race", "fairface_race", "disagreement", "fairface")
BATCH = 128
_FAIRFACE_NUMBER = {name: i for i, name in enumerate(FAIRFACE_RACES)}


def numbers(labels: FaceLabels, layout: str) -> tuple[float, float, int, int, int]:
    """Age from (inside) and to (outside), 1 for male, number of the race in each system; -1 is unknown."""
    young, old = labels.age_range or ((labels.age, labels.age + 1) if labels.age is not None else (-1, -1))
    male = -1 if labels.gender is None else int(labels.gender == "male")
    utkface = UTKFACE_RACES.index(labels.race) if layout == "utkface" and labels.race else -1
    return young, old, male, utkface, _FAIRFACE_NUMBER.get(labels.ethnicity or "", -1) if layout == "fairface" else -1


def batches(sources: list[tuple[str, Path]], limit: int | None) -> Iterator[tuple[str, list, list]]:
    """Layout, photos and numbers of ``BATCH`` faces at a time."""
    for layout, path in sources:
        pack = open_dataset(layout, path)
        count = len(pack) if limit is None else min(limit, len(pack))
        for start in track(range(0, count, BATCH), description=path.name):
            part = range(start, min(start + BATCH, count))
            yield layout, [pack.image(i) for i in part], [numbers(pack.labels(i), layout) for i in part]


def prepare(sources: list[tuple[str, Path]], labeller: Labeller, output: Path, limit: int | None = None) -> int:
    """Writes the packed faces; returns their number."""
    output.mkdir(parents=True, exist_ok=True)
    crops, rows = [], []
    for layout, images, labels in batches(sources, limit):
        landmarks, disagreement = labeller.label(images, [FRAMINGS[layout]] * len(images))
        for image, points, d, row in zip(images, landmarks, disagreement, labels):
            matrix = crop_matrix(points_from_landmarks(points), SIZE, MARGIN)
            crops.append(warp(image, matrix, STORED, cv2.BORDER_REPLICATE))
            rows.append((*row, float(d), layout == "fairface"))
    np.save(output / "images.npy", np.stack(crops))
    np.savez(output / "labels.npz", **{name: np.array([row[i] for row in rows]) for i, name in enumerate(FIELDS)})
    return len(rows)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utkface", type=Path, nargs="*", default=[])
    parser.add_argument("--fairface", type=Path, nargs="*", default=[])
    parser.add_argument("--landmarks", type=Path, required=True, help="weights of train.landmarks.train")
    parser.add_argument("--output", type=Path, default=Path("runs/demographics_data"))
    parser.add_argument("--limit", type=int, help="at most this many photos of each pack")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    sources = [("utkface", p) for p in args.utkface] + [("fairface", p) for p in args.fairface]
    print(prepare(sources, Labeller.load(args.landmarks), args.output, args.limit))


if __name__ == "__main__":
    command(main)
