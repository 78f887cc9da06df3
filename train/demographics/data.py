"""Packed faces as augmented batches that depend on nothing but seed and number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from facerecon.faces.align import mirror_matrix
from facerecon.types import FaceReconError
from train.demographics.prepare import MARGIN, SIZE
from train.landmarks.augment import damage, jittered_matrix

AGE_EDGES = (3, 10, 20, 30, 40, 50, 60, 70)  # FairFace's bins
HELD_OUT = 40  # one face in so many is kept for calibration


@dataclass
class Labels:
    """Labels of N faces; -1 is unknown.

    Attributes:
        age: (N, 2) float32 years, from (inside) to (outside).
        male: (N,) int64.
        utkface: (N,) int64, number of UTKFace's race.
        fairface: (N,) int64, number of FairFace's race.
    """

    age: Tensor
    male: Tensor
    utkface: Tensor
    fairface: Tensor

    def __getitem__(self, index: Tensor) -> Labels:
        return Labels(self.age[index], self.male[index], self.utkface[index], self.fairface[index])

    def to(self, device: torch.device | str) -> Labels:
        """The same on a device."""
        return Labels(*(column.to(device) for column in (self.age, self.male, self.utkface, self.fairface)))


class Faces:
    """The faces of several folders of ``train.demographics.prepare``.

    Args:
        folders: each with ``images.npy`` and ``labels.npz``.
        most: faces on whose landmarks the labeller disagreed more than this, in sizes of the face, are left out.
        limit: at most this many faces of each folder.

    Raises:
        FaceReconError: none is left.
    """

    def __init__(self, folders: list[Path], most: float = 0.06, limit: int | None = None) -> None:
        images, tables = [], []
        for folder in folders:
            table = dict(np.load(folder / "labels.npz"))
            keep = np.flatnonzero(table["disagreement"] <= most)[:limit]
            images.append(np.load(folder / "images.npy", mmap_mode="r")[keep])
            tables.append({k: v[keep] for k, v in table.items()})
        table = {k: np.concatenate([t[k] for t in tables]) for k in tables[0]}
        self.images = np.concatenate(images)
        if not len(self.images):
            raise FaceReconError(f"In {', '.join(map(str, folders))} there is no face on whose landmarks the labeller agreed with itself.")
        self.is_fairface = table["fairface"].astype(bool)
        self.labels = Labels(
            torch.from_numpy(np.stack((table["youngest"], table["oldest"]), 1).astype(np.float32)),
            *(torch.from_numpy(table[k].astype(np.int64)) for k in ("male", "utkface_race", "fairface_race")),
        )

    def __len__(self) -> int:
        return len(self.images)

    def held_out(self) -> np.ndarray:
        """(N,) bool, the same faces every time."""
        return np.random.default_rng(7).permutation(len(self)) % HELD_OUT == 0

    def weights(self, power: float) -> np.ndarray:
        """Sampling weights (N,): both datasets alike, and rare groups of age, gender and race oftener.

        A group of n faces is drawn as if it had n ** (1 - power).
        """
        l = self.labels
        race = np.where(self.is_fairface, l.fairface.numpy() + 10, l.utkface.numpy())
        bins = np.digitize(l.age[:, 0].numpy(), AGE_EDGES)
        _, group, counts = np.unique(
            np.stack((race, l.male.numpy(), bins), 1), axis=0, return_inverse=True, return_counts=True
        )
        weights = np.maximum(counts, 20.0)[group.reshape(-1)] ** -power
        for part in (self.is_fairface, ~self.is_fairface):
            weights[part] /= max(weights[part].sum(), 1e-9)
        return weights / weights.sum()


class Batches(Dataset):
    """Item ``number`` is a whole batch: crops uint8 (B, 96, 96, 3) and the numbers (B,) of the faces they show."""

    def __init__(self, faces: Faces, batch: int, seed: int, power: float) -> None:
        self.faces, self.batch, self.seed = faces, batch, seed
        weights = np.where(faces.held_out(), 0, faces.weights(power))
        self.cumulative = np.cumsum(weights / weights.sum())

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        cv2.setNumThreads(0)
        rng = np.random.default_rng((self.seed, number))
        # One draw from each of B equal parts: the groups' shares hold in every batch.
        draws = (np.arange(self.batch) + rng.random(self.batch)) / self.batch
        index = rng.permutation(np.searchsorted(self.cumulative, draws).clip(0, len(self.faces) - 1))
        crops = np.stack([augment(self.faces.images[i], rng) for i in index])
        return torch.from_numpy(crops), torch.from_numpy(index)


def augment(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A stored face under a small turn, zoom, shift, mirror and damage, (96, 96, 3) uint8."""
    matrix = np.array([[1.0, 0, -MARGIN], [0, 1.0, -MARGIN]])
    matrix = jittered_matrix(matrix, SIZE, rng, turn=5, zoom=0.07, shift=0.025)
    if rng.random() < 0.5:
        matrix = mirror_matrix(matrix, SIZE)
    crop = cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return damage(crop, rng, strength=0.6)


def central(images: np.ndarray) -> Tensor:
    """The crops (B, 96, 96, 3) in the middle of stored faces, as the estimator sees them."""
    return torch.from_numpy(np.ascontiguousarray(images[:, MARGIN : MARGIN + SIZE, MARGIN : MARGIN + SIZE]))
