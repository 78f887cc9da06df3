"""Looks at every training face once with both frozen networks and keeps what they see.

    python -m train.shape.prepare --synthetic runs/synthetic --real runs/real --people DATA/faces/LFW \
        --leave-out DATA/eval/LFW --output runs/shape
    python -m train.shape.prepare --synthetic runs/synthetic_test --described DATA/eval/UTKFace --output runs/shape_test

The mapping network learns from the face embedding and the head encoder's features alone, so
that it trains in seconds once these are there. The parts, each written when it is whole and
left alone by a second run: ``rendered.npz``, ``photos.npz`` (landmarks or pseudo-landmarks,
age, gender, ancestry where known), ``people.npz`` (photos of people with names), with
``--scans`` ``scans.npz``, and ``described.npz``, which no training reads. :data:`SEEN` names the
arrays that all parts have.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from facerecon.checkpoints import checkpoint_version, find_checkpoint
from facerecon.demographics import ancestry_weights
from facerecon.faces.align import MIRROR_68, mirror_matrix, points_from_landmarks, similarity_from_points, transform_points, warp
from facerecon.identity import IdentityEncoder
from facerecon.images import ImageError, load_image
from facerecon.reconstruction.encoder import HeadCode
from facerecon.reconstruction.reconstructor import TEMPLATE, HeadReconstructor
from facerecon.types import FaceReconError, Image
from train.command_line import command
from train.data import open_dataset
from train.identity.prepare import find_points
from train.landmarks.augment import damage, jittered_matrix
from train.landmarks.data import stream, to_unit
from train.reconstruction.data import DETECTOR_NOISE, PHOTO_DAMAGE, SYNTHETIC_DAMAGE

SEEN = ("embedding", "features", "identity", "age", "gender", "ancestry", "expression", "rotation", "scale", "center", "inverse_distance")
BATCH = 64
PACKS = {"ytf": 3500, "utkface": 3000, "fairface": 2500, "scut": 600, "portraits": 529, "studio": 184}
MOST_OF_A_PERSON = 6  # photos

Pair = tuple[Image, Image, dict[str, np.ndarray]]
"""A face cut for the head encoder and for the embedding, and what is known of it."""


class Cuts(Dataset):
    """Item ``i`` is the ``i``-th batch of faces that ``cut(index, rng)`` gives, as stacked arrays."""

    def __init__(self, cut: Callable[[int, np.random.Generator], Pair], count: int, seed: int) -> None:
        self.cut, self.count, self.seed = cut, count, seed

    def __len__(self) -> int:
        return -(-self.count // BATCH)

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        rows = range(batch * BATCH, min((batch + 1) * BATCH, self.count))
        crops, faces, known = zip(*(self.cut(i, np.random.default_rng((self.seed, i))) for i in rows))
        return np.stack(crops), np.stack(faces), {k: np.stack([row[k] for row in known]) for k in known[0]}


class Watcher:
    """Both networks, as they ship."""

    def __init__(self) -> None:
        self.reconstructor, self.identity = HeadReconstructor.from_pretrained(), IdentityEncoder.from_pretrained()
        self.sizes = self.reconstructor.size, self.identity.size
        self.version = checkpoint_version(find_checkpoint("reconstruction"))

    @torch.inference_mode()
    def look(self, crops: np.ndarray, faces: np.ndarray) -> dict[str, np.ndarray]:
        """The arrays of :data:`SEEN` for a batch of crops (B, S, S, 3) and identity crops (B, T, T, 3) uint8."""
        reconstructor = self.reconstructor
        code: HeadCode = reconstructor.encoder(to_unit(torch.from_numpy(crops), reconstructor.dtype).to(reconstructor.device))
        seen = {name: getattr(code, name).cpu().numpy() for name in SEEN[1:]}
        return {**seen, "features": seen["features"].astype(np.float16), "embedding": self.identity.embed(list(faces))}


def cut_pair(image: Image, points: np.ndarray, sizes: tuple[int, int], rng: np.random.Generator, harm: float, mirrored: bool = False):
    """Both crops about five points (5, 2) as a detector's uncertain ones would cut them, and the first one's matrix."""
    size, face_size = sizes
    exact = similarity_from_points(points, size, TEMPLATE)
    noisy = points + rng.normal(0, DETECTOR_NOISE, (5, 2)) * size / np.hypot(*exact[:, 0])
    matrix, second = similarity_from_points(noisy, size, TEMPLATE), similarity_from_points(noisy, face_size, "identity")
    if harm:
        matrix = jittered_matrix(matrix, size, rng, 2.0, 0.04, 0.012)
    if mirrored:
        matrix, second = mirror_matrix(matrix, size), mirror_matrix(second, face_size)
    crops = [warp(image, m, s, cv2.BORDER_REPLICATE) for m, s in ((matrix, size), (second, face_size))]
    if harm:
        seed = int(rng.integers(2**31))  # the same damage to both
        crops = [damage(crop, np.random.default_rng(seed), harm) for crop in crops]
    return crops[0], crops[1], matrix


def rendered_faces(folder: Path, sizes: tuple[int, int], harmed: bool = True) -> tuple[Callable, int]:
    """Every rendered face as it lies, then every one damaged; ``true_*`` is the truth."""
    images, truth = np.load(folder / "images.npy", mmap_mode="r"), dict(np.load(folder / "labels.npz"))
    names = ("identity", "age", "gender", "ancestry")

    def cut(index: int, rng: np.random.Generator) -> Pair:
        i, again = index % len(images), index >= len(images)
        image = np.asarray(images[i])
        crop = image if len(image) == sizes[0] else cv2.resize(image, sizes[:1] * 2, interpolation=cv2.INTER_AREA)
        five = points_from_landmarks(truth["landmarks"][i])
        five = five + rng.normal(0, DETECTOR_NOISE, (5, 2)) * len(image)
        face = warp(image, similarity_from_points(five, sizes[1], "identity"), sizes[1], cv2.BORDER_REPLICATE)
        if again:
            seed = int(rng.integers(2**31))
            crop, face = (damage(c, np.random.default_rng(seed), 2 * SYNTHETIC_DAMAGE) for c in (crop, face))
        return crop, face, {"row": np.int64(i), **{f"true_{n}": truth[n][i] for n in names}}

    return cut, len(images) * (2 if harmed else 1)


def labelled_photos(folder: Path, sizes: tuple[int, int], seed: int) -> tuple[Callable, int]:
    """Photos of ``train.landmarks.label``, at most so many of each pack."""
    images, labels = np.load(folder / "images.npy", mmap_mode="r"), dict(np.load(folder / "labels.npz"))
    rng, rows = np.random.default_rng(seed), []
    for pack, most in PACKS.items():
        found = np.flatnonzero(labels["pack"] == pack)
        chosen = np.sort(rng.permutation(found)[:most])
        rows.append(chosen)
    rows = np.concatenate(rows)

    def cut(index: int, rng: np.random.Generator) -> Pair:
        i, mirrored = int(rows[index]), bool(rng.random() < 0.5)
        marks = labels["landmarks"][i]
        harm = PHOTO_DAMAGE if rng.random() < 0.5 else 0.0
        crop, face, matrix = cut_pair(np.asarray(images[i]), points_from_landmarks(marks), sizes, rng, harm, mirrored)
        marks = transform_points(marks[MIRROR_68] if mirrored else marks, matrix)
        known = {f"true_{n}": labels[n][i].astype(np.float32) for n in ("age", "gender", "ancestry")}
        return crop, face, {"landmarks": ((marks + 0.5) / sizes[0] - 0.5).astype(np.float32), "true": labels["true"][i], **known}

    return cut, len(rows)


def face_points(image: Image) -> tuple[np.ndarray, bool]:
    """The five points (5, 2) of the face that fills a photo, and whether they were seen; else where they mostly are."""
    five = find_points(image)
    usual = np.array([[0.38, 0.44], [0.62, 0.44], [0.5, 0.55], [0.4, 0.66], [0.6, 0.66]])
    return (usual * len(image), False) if five is None else (five, True)


def described_photos(folder: Path, sizes: tuple[int, int]) -> tuple[Callable, int]:
    """UTKFace's photos with their ages, genders and ancestries, to measure on."""
    pack = open_dataset("utkface", folder)

    def cut(index: int, rng: np.random.Generator) -> Pair:
        image, labels = pack.image(index), pack.labels(index)
        crop, face, _ = cut_pair(image, face_points(image)[0], sizes, rng, 0.0)
        gender = np.nan if labels.gender is None else float(labels.gender == "male")
        weights = ancestry_weights(labels.race, labels.ethnicity)
        known = {"age": np.nan if labels.age is None else labels.age, "gender": gender, "ancestry": (np.nan,) * 3 if weights is None else weights}
        return crop, face, {f"true_{name}": np.array(value, np.float32) for name, value in known.items()}

    return cut, len(pack)


def named_people(folder: Path, leave_out: Path | None, sizes: tuple[int, int]) -> tuple[Callable, int]:
    """Photos of people with several in LFW's layout, as they are and once damaged; ``person`` numbers them."""
    pack, photos = open_dataset("lfw", folder), {}
    absent = {entry.name for entry in leave_out.iterdir()} if leave_out else set()
    for i in range(len(pack)):
        photos.setdefault(pack.labels(i).person, []).append(i)
    kept = [found[:MOST_OF_A_PERSON] for person, found in sorted(photos.items()) if len(found) > 1 and person not in absent]
    rows = [(i, person) for person, found in enumerate(kept) for i in found]

    def cut(index: int, rng: np.random.Generator) -> Pair:
        i, person = rows[index % len(rows)]
        image = pack.image(i)
        five, seen = face_points(image)
        crop, face, _ = cut_pair(image, five, sizes, rng, PHOTO_DAMAGE if index >= len(rows) else 0.0)
        return crop, face, {"person": np.int64(person), "found": np.bool_(seen)}

    return cut, 2 * len(rows)


def scanned_people(folder: Path, sizes: tuple[int, int]) -> tuple[Callable, int]:
    """Photos of people whose scans ``train.head.register_scans`` registered, in ``folder`` or folders in it."""
    rows = []
    for subject, file in enumerate(sorted(p for p in folder.rglob("*.npz") if not p.name.startswith("."))):
        with np.load(file) as head:
            coefficients, photos = head["coefficients"].astype(np.float32), [Path(str(p)) for p in head["photos"]]
        rows += [(photo, points, coefficients, subject) for photo in photos if (points := _points(photo)) is not None]

    def cut(index: int, rng: np.random.Generator) -> Pair:
        photo, points, coefficients, subject = rows[index]
        crop, face, _ = cut_pair(load_image(photo), points, sizes, rng, PHOTO_DAMAGE if rng.random() < 0.5 else 0.0)
        return crop, face, {"coefficients": coefficients, "subject": np.int64(subject)}

    return cut, len(rows)


def _points(photo: Path) -> np.ndarray | None:
    """The five points of the face that fills a photo, if there is one."""
    try:
        return find_points(load_image(photo))
    except ImageError:
        return None


def prepare(source: tuple[Callable, int], watcher: Watcher, file: Path, seed: int, workers: int, limit: int | None = None) -> None:
    """Writes one part, aside first; a part that is there stays."""
    if file.exists():
        return
    if not source[1]:
        raise FaceReconError(f"There is no face for {file.name}.")
    cuts = Cuts(source[0], min(source[1], limit or source[1]), seed)
    parts: dict[str, list[np.ndarray]] = {}
    for i, (crops, faces, known) in enumerate(stream(cuts, 0, len(cuts), workers)):
        crops, faces = np.asarray(crops), np.asarray(faces)
        for name, value in {**watcher.look(crops, faces), **known}.items():
            parts.setdefault(name, []).append(np.asarray(value))
        if i % 50 == 0:
            print(f"{file.stem} {i * BATCH}/{cuts.count}", flush=True)
    aside = file.with_name(f".{file.name}")
    np.savez(aside, encoder=watcher.version, **{name: np.concatenate(values) for name, values in parts.items()})
    aside.rename(file)


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--synthetic", type=Path, required=True, help="folder of train.reconstruction.prerender")
    parser.add_argument("--real", type=Path, help="folder of train.landmarks.label")
    parser.add_argument("--people", type=Path, help="a folder a person, LFW's layout")
    parser.add_argument("--leave-out", type=Path, help="folders of people who must not take part")
    parser.add_argument("--scans", type=Path, help="folder of train.head.register_scans, or several of them in one")
    parser.add_argument("--described", type=Path, help="UTKFace's layout; photos to measure on")
    parser.add_argument("--output", type=Path, default=Path("runs/shape"))
    parser.add_argument("--limit", type=int, help="at most so many faces a part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)
    watcher = Watcher()
    parts = {"rendered": rendered_faces(args.synthetic, watcher.sizes)}
    if args.real:
        parts["photos"] = labelled_photos(args.real, watcher.sizes, args.seed)
    if args.people:
        parts["people"] = named_people(args.people, args.leave_out, watcher.sizes)
    if args.described:
        parts["described"] = described_photos(args.described, watcher.sizes)
    if args.scans:
        parts["scans"] = scanned_people(args.scans, watcher.sizes)
    for name, source in parts.items():
        prepare(source, watcher, args.output / f"{name}.npz", args.seed, args.workers, args.limit)


if __name__ == "__main__":
    command(main)
