"""Batches of people: two photos, or two views of one photo, of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from train.identity.augment import augment

NAMED_PACKS = ("LFW", "YTF", "studio", "rendered")  # packs with several photos of a person


@dataclass
class Faces:
    """Stored crops with labels; ``person`` numbers the people of the named packs first.

    Attributes:
        images: (N, 128, 128, 3) uint8.
        person: (N,) int64.
        named: how many people have a class of their own.
        age: (N,) float32 years, NaN where unknown; gender, race: (N,) int64, -1 where unknown.
    """

    images: np.ndarray
    person: np.ndarray
    named: int
    age: np.ndarray
    gender: np.ndarray
    race: np.ndarray

    @classmethod
    def load(cls, folders: list[Path], limit: int | None = None) -> Faces:
        """From what ``train.identity.prepare`` and ``train.identity.render`` wrote."""
        labels = [dict(np.load(folder / "labels.npz")) for folder in folders]
        kept = [slice(None) if limit is None else _spread(len(table["person"]), limit) for table in labels]
        images = [np.load(folder / "images.npy", mmap_mode="r")[k] for folder, k in zip(folders, kept)]
        table = {key: np.concatenate([t[key][k] for t, k in zip(labels, kept)]) for key in labels[0]}
        named = np.isin(table["pack"], NAMED_PACKS)
        people = {name: i for i, name in enumerate(sorted(set(table["person"][named])))}
        count = len(people)
        people.update({name: count + i for i, name in enumerate(sorted(set(table["person"][~named])))})
        person = np.array([people[name] for name in table["person"]], np.int64)
        return cls(
            np.concatenate(images), person, count, table["age"].astype(np.float32), table["gender"].astype(np.int64),
            table["race"].astype(np.int64),
        )  # fmt: skip


@dataclass
class Batch:
    """Pairs lie side by side: rows 2 i and 2 i + 1 are one person."""

    crops: Tensor
    person: Tensor
    age: Tensor
    gender: Tensor
    race: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """The same on a device."""
        return Batch(*(column.to(device) for column in (self.crops, self.person, self.age, self.gender, self.race)))


class PeopleBatches(Dataset):
    """Item ``number`` is a whole batch, the same for the same seed.

    Args:
        faces: the stored crops.
        pairs: people a batch; ``shares`` says how they are drawn.
        seed: of all random numbers.
        shares: of people with several photos, of named people with any number, of single photos.
    """

    def __init__(
        self, faces: Faces, pairs: int, seed: int = 0, shares: tuple[float, float, float] = (0.45, 0.2, 0.35)
    ) -> None:
        self.faces, self.pairs, self.seed = faces, pairs, seed
        order = np.argsort(faces.person, kind="stable")
        starts = np.flatnonzero(np.diff(faces.person[order], prepend=-1))
        self.photos = np.split(order, starts[1:])  # of each person
        counts = np.array([len(p) for p in self.photos])
        named = np.arange(len(counts)) < faces.named
        several = named & (counts > 1)
        weights = (several * np.sqrt(np.minimum(counts, 12)), named * 1.0, ~named * 1.0)
        self.draws = [(share, np.cumsum(w / w.sum())) for share, w in zip(shares, weights) if w.any()]

    def __getitem__(self, number: int) -> Batch:
        cv2.setNumThreads(0)
        rng = np.random.default_rng((self.seed, number))
        rows = np.array([self._two_photos(p, rng) for p in self._people(rng)]).reshape(-1)
        crops = np.stack([augment(self.faces.images[i], rng) for i in rows])
        f = self.faces
        return Batch(
            torch.from_numpy(crops), *(torch.from_numpy(column[rows]) for column in (f.person, f.age, f.gender, f.race))
        )

    def _people(self, rng: np.random.Generator) -> np.ndarray:
        total = sum(share for share, _ in self.draws)
        counts = [round(self.pairs * share / total) for share, _ in self.draws]
        counts[-1] = self.pairs - sum(counts[:-1])
        drawn = [np.searchsorted(table, rng.random(n)) for n, (_, table) in zip(counts, self.draws)]
        return np.concatenate(drawn).clip(0, len(self.photos) - 1)

    def _two_photos(self, person: int, rng: np.random.Generator) -> tuple[int, int]:
        photos = self.photos[person]
        if len(photos) == 1:
            return photos[0], photos[0]
        return tuple(rng.choice(photos, 2, replace=False))


def _spread(count: int, limit: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(limit, count)).astype(int))
