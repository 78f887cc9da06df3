"""Readers of datasets in their official layouts, as folders or in a tar.

Each takes the dataset's path and gives a ``FacePack`` with labels. Images may have another
ending than the lists say (``.webp`` for ``.jpg``), so names are compared without it.
"""

from __future__ import annotations

import csv
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np

from facerecon.demographics.categories import (
    FAIRFACE_AGES,
    FAIRFACE_GENDERS,
    FAIRFACE_RACES,
    UTKFACE_GENDERS,
    UTKFACE_RACES,
)
from facerecon.types import FaceReconError
from train.data.mat_landmarks import aflw2000, w300lp
from train.data.packs import FaceLabels, FacePack

_OLDEST = 116  # years; UTKFace goes that far
_SPLITS = ("train", "val", "test")


def image_folder(path: Path) -> FacePack:
    """Any photos without labels."""
    return FacePack(path)


def utkface(path: Path) -> FacePack:
    """UTKFace: ``AGE_GENDER_RACE_DATE.jpg``; a few names of the original lack a part, and so a label."""
    return FacePack(path, utkface_labels)


def fairface(path: Path) -> FacePack:
    """FairFace: ``fairface_label_train.csv`` and ``fairface_label_val.csv`` beside ``train/`` and ``val/``."""
    pack = FacePack(path)
    table = {}
    for split in ("train", "val"):
        if pack.find(f"fairface_label_{split}.csv"):
            rows = csv.DictReader(io.StringIO(pack.text(f"fairface_label_{split}.csv")))
            table.update({_key(row["file"], 2): _fairface_labels(row, split) for row in rows})
    return _listed(pack, table, 2, "fairface_label_train.csv")


def scut_fbp5500(path: Path) -> FacePack:
    """SCUT-FBP5500: ``Images/AF1.jpg`` (Asian or Caucasian, female or male) and 86 landmarks.

    The landmarks are the official binary ``facial landmark/AF1.pts``, or one table
    ``landmarks86.csv``. Beauty scores are not read.
    """
    pack = FacePack(path)
    table = _landmark_table(pack, "landmarks86.csv") if pack.find("landmarks86.csv") else {}
    for name in pack.files(".pts"):
        values = struct.unpack("<i172f", pack.read(name)[: struct.calcsize("<i172f")])
        table[PurePosixPath(name).stem] = np.array(values[1:], np.float32).reshape(86, 2)

    def label(name: str) -> FaceLabels:
        stem = PurePosixPath(name).stem
        race = {"A": "Asian", "C": "Caucasian"}.get(stem[:1])
        gender = {"F": "female", "M": "male"}.get(stem[1:2])
        return FaceLabels(gender=gender, race=race, landmarks=table.get(stem))

    return FacePack(path, label)


def ytf_keypoints(path: Path) -> FacePack:
    """Frames of YouTube Faces with ``landmarks68.csv`` (iBUG order); named ``Person_Name_30``."""
    pack = FacePack(path)
    table = {
        stem: FaceLabels(person=stem.rsplit("_", 1)[0], landmarks=points)
        for stem, points in _landmark_table(pack, "landmarks68.csv").items()
    }
    return _listed(pack, table, 1, "landmarks68.csv")


def lfw(path: Path) -> FacePack:
    """Labeled Faces in the Wild: ``Person_Name/Person_Name_0001.jpg``."""
    return FacePack(path, lambda name: FaceLabels(person=PurePosixPath(name).parent.name))


def official_portraits(path: Path) -> FacePack:
    """Portraits with ``labels.csv``: file, gender, ethnicity, date of birth (the photos are undated, so no age)."""
    pack = FacePack(path)
    rows = csv.DictReader(io.StringIO(pack.text("labels.csv")))
    table = {
        _key(row["file"], 1): FaceLabels(gender=row["gender"] or None, ethnicity=row["ethnicity"] or None, person=_key(row["file"], 1))
        for row in rows
    }
    return _listed(pack, table, 1, "labels.csv")


def ffhq(path: Path) -> FacePack:
    """FFHQ (Karras et al. 2019): ``images1024x1024/00000/00000.png`` or ``thumbnails128x128``.

    With ``ffhq-dataset-v2.json`` beside them come 68 landmarks, scaled to the images at hand,
    and the training split (the first 60,000).
    """
    pack = FacePack(path)
    entries = json.loads(pack.text("ffhq-dataset-v2.json")) if pack.find("ffhq-dataset-v2.json") else {}

    def label(name: str) -> FaceLabels:
        stem = PurePosixPath(name).stem
        entry = entries.get(str(int(stem))) if stem.isdigit() else None
        if entry is None:
            return FaceLabels()
        points = np.array(entry["image"]["face_landmarks"], np.float32)
        if "thumbnails128x128" in name:
            points = (points + 0.5) / 8 - 0.5
        return FaceLabels(landmarks=points, split="train" if entry.get("category") == "training" else "val")

    return FacePack(path, label)


def celeba(path: Path) -> FacePack:
    """CelebA (Liu et al. 2015), aligned: ``img_align_celeba/000001.jpg`` with its four lists.

    Landmarks are the five of ``list_landmarks_align_celeba.txt``: eyes, nose, mouth corners,
    the picture's left first.
    """
    pack = FacePack(path)
    people = {row[0]: row[1] for row in _rows(pack, "identity_CelebA.txt")}
    splits = {row[0]: _SPLITS[int(row[1])] for row in _rows(pack, "list_eval_partition.txt")}
    landmarks = {row[0]: np.array(row[1:], np.float32).reshape(5, 2) for row in _rows(pack, "list_landmarks_align_celeba.txt", 2)}
    header = pack.text("list_attr_celeba.txt").splitlines()[1].split() if pack.find("list_attr_celeba.txt") else []
    attributes = {row[0]: dict(zip(header, row[1:])) for row in _rows(pack, "list_attr_celeba.txt", 2)}

    def label(name: str) -> FaceLabels:
        file = f"{PurePosixPath(name).stem}.jpg"
        male = attributes.get(file, {}).get("Male")
        return FaceLabels(
            gender={"1": "male", "-1": "female"}.get(male),
            person=people.get(file),
            landmarks=landmarks.get(file),
            split=splits.get(file),
        )

    return FacePack(path, label)


LAYOUTS: dict[str, Callable[[Path], FacePack]] = {
    "image_folder": image_folder,
    "utkface": utkface,
    "fairface": fairface,
    "scut_fbp5500": scut_fbp5500,
    "ytf_keypoints": ytf_keypoints,
    "lfw": lfw,
    "official_portraits": official_portraits,
    "ffhq": ffhq,
    "celeba": celeba,
    "300w_lp": w300lp,
    "aflw2000_3d": aflw2000,
}


def open_dataset(layout: str, path: Path) -> FacePack:
    """A dataset by the name of its layout.

    Raises:
        FaceReconError: unknown layout, no such path, no photo there, or a list that the layout needs is missing.
    """
    if layout not in LAYOUTS:
        raise FaceReconError(f"There is no dataset layout called {layout!r}: use {', '.join(LAYOUTS)}.")
    pack = LAYOUTS[layout](path)
    if not pack.names:
        raise FaceReconError(f"The dataset {path} holds no photos in the layout of {layout}.")
    return pack


def utkface_labels(name: str) -> FaceLabels:
    """What ``AGE_GENDER_RACE_DATE`` says, as far as it says it."""
    parts = PurePosixPath(name).name.split(".")[0].split("_")
    age = float(parts[0]) if parts[0].isdigit() and int(parts[0]) <= _OLDEST else None
    if len(parts) != 4 or not (parts[1].isdigit() and parts[2].isdigit()):
        return FaceLabels(age=age)
    gender, race = int(parts[1]), int(parts[2])
    return FaceLabels(
        age=age,
        gender=UTKFACE_GENDERS[gender] if gender < len(UTKFACE_GENDERS) else None,
        race=UTKFACE_RACES[race] if race < len(UTKFACE_RACES) else None,
    )


def _fairface_labels(row: dict[str, str], split: str) -> FaceLabels:
    return FaceLabels(
        age_range=FAIRFACE_AGES[row["age"]],
        gender=FAIRFACE_GENDERS[row["gender"]],
        race=FAIRFACE_RACES[row["race"]],
        ethnicity=row["race"],
        split=split,
    )


def _landmark_table(pack: FacePack, file_name: str) -> dict[str, np.ndarray]:
    """Stem of the image to (N, 2), from a table with columns file, ..., x0, y0, x1, y1, ..."""
    rows = csv.DictReader(io.StringIO(pack.text(file_name)))
    columns = [c for c in rows.fieldnames or [] if c[0] in "xy" and c[1:].isdigit()]
    return {PurePosixPath(row["file"]).stem: np.array([row[c] for c in columns], np.float32).reshape(-1, 2) for row in rows}


def _rows(pack: FacePack, file_name: str, skip: int = 0) -> list[list[str]]:
    if pack.find(file_name) is None:
        return []
    return [line.split() for line in pack.text(file_name).splitlines()[skip:] if line.strip()]


def _key(name: str, parts: int) -> str:
    """The last parts of a path, without the ending."""
    return "/".join(PurePosixPath(name).with_suffix("").parts[-parts:])


def _listed(pack: FacePack, table: dict[str, FaceLabels], parts: int, needs: str) -> FacePack:
    """The pack's images that a table lists."""
    names = [name for name in pack.images() if _key(name, parts) in table]
    if not names:
        raise FaceReconError(f"The dataset {pack.path} has no image that {needs} lists.")
    return FacePack(pack.path, lambda name: table[_key(name, parts)], names)
