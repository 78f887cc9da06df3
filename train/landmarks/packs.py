"""The photos that get pseudo-labels: where they lie, how they are framed, what is known of the people."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facerecon.demographics import ancestry_weights
from facerecon.demographics.categories import FAIRFACE_AGES, OLDEST
from facerecon.faces.align import template_points
from train.data.layouts import utkface_labels
from train.landmarks.data import TEMPLATE

OLDEST_MIDDLE = 76.0  # years, of those of whom FairFace says "more than 70": most are not much older
UNKNOWN = math.nan


@dataclass(frozen=True)
class Framing:
    """Where an average photo of a pack has its face.

    Attributes:
        scales: sides of the ``"reconstruction"`` crop, in sides of the photo, to try.
        center: middle between eyes and mouth, as fractions of width and height.
    """

    scales: tuple[float, ...]
    center: tuple[float, float] = (0.5, 0.5)


@dataclass(frozen=True)
class Photo:
    """A photo and what its dataset says: age in years, gender 0 female to 1 male, ancestry; NaN is unknown."""

    path: Path
    pack: str
    age: float = UNKNOWN
    gender: float = UNKNOWN
    ancestry: tuple[float, float, float] = (UNKNOWN,) * 3


FRAMINGS = {
    "utkface": Framing((1.65,), (0.5, 0.52)),
    "fairface": Framing((1.25,), (0.5, 0.52)),
    "portraits": Framing((0.72, 0.6), (0.5, 0.45)),
    "stock": Framing((1.18,), (0.5, 0.6)),
    "studio": Framing((0.55, 0.8, 1.1), (0.5, 0.5)),
    "scut": Framing((1.15,), (0.5, 0.56)),
    "lfw": Framing((1.3,), (0.5, 0.52)),
}


def rough_matrix(shape: tuple[int, ...], scale: float, framing: Framing, size: int) -> np.ndarray:
    """The (2, 3) matrix of a first crop of ``size`` pixels of a photo of that shape."""
    height, width = shape[:2]
    zoom = size / (scale * max(height, width))
    target = template_points(size, TEMPLATE)[[0, 1, 3, 4]].mean(0)
    center = np.array(framing.center) * (width, height)
    return np.concatenate((np.eye(2) * zoom, (target - zoom * center)[:, None]), axis=1)


def photos(root: Path) -> Iterator[Photo]:
    """Every photo below the folder of the packs, pack after pack."""
    for path in sorted((root / "UTKFace").glob("*.webp")):
        said = utkface_labels(path.name)
        age = UNKNOWN if said.age is None else said.age
        gender = UNKNOWN if said.gender is None else float(said.gender == "male")
        yield Photo(path, "utkface", age, gender, _ancestry(said.race))
    yield from _fairface(root / "FairFace")
    for pack in ("portraits", "stock", "studio"):
        for path in sorted((root / pack).glob("*.webp")):
            yield Photo(path, pack)
    for path in sorted((root / "SCUT-FBP5500" / "Images").glob("*.webp")):  # AF12.webp: Asian, female
        race = {"A": "Asian", "C": "White"}[path.name[0]]
        yield Photo(path, "scut", UNKNOWN, float(path.name[1] == "M"), _ancestry(race))
    for path in sorted((root / "LFW").glob("*/*.webp")):
        yield Photo(path, "lfw")


def _fairface(root: Path) -> Iterator[Photo]:
    table = root / "fairface_label_train.csv"
    if not table.is_file():
        return
    with open(table, newline="") as handle:
        for row in csv.DictReader(handle):
            if (root / row["file"]).is_file():
                gender = float(row["gender"] == "Male")
                yield Photo(root / row["file"], "fairface", middle_age(row["age"]), gender, _ancestry(row["race"]))


def middle_age(ages: str) -> float:
    """Years that stand for one of FairFace's bins."""
    youngest, oldest = FAIRFACE_AGES[ages]
    return OLDEST_MIDDLE if oldest == OLDEST else (youngest + oldest) / 2


def _ancestry(race: str | None) -> tuple[float, float, float]:
    weights = ancestry_weights(race)
    return (UNKNOWN,) * 3 if weights is None else tuple(float(w) for w in weights)
