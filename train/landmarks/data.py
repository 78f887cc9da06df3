"""Faces with 68 landmarks, as augmented batches that depend on nothing but seed and step."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from facerecon.faces.align import points_from_landmarks, similarity_from_points, transform_points, warp
from facerecon.types import Image
from train.landmarks.augment import damage, jittered_matrix, mirror_matrix
from train.landmarks.network import MIRROR_68

TEMPLATE = "reconstruction"


def read_landmarks(path: Path, points: int = 68) -> dict[str, np.ndarray]:
    """Landmarks by file name, each (points, 2) float32, from a table ``file,x0,y0,...``."""
    with open(path, newline="") as handle:
        rows = list(csv.DictReader(handle))
    columns = [f"{axis}{i}" for i in range(points) for axis in "xy"]
    return {r["file"]: np.array([float(r[c]) for c in columns], np.float32).reshape(points, 2) for r in rows}


def read_image(path: Path) -> Image:
    """One photo, (H, W, 3) uint8 RGB."""
    return np.ascontiguousarray(cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1])


class LandmarkBatches(Dataset):
    """Item ``step`` is the whole batch of that step: crops uint8 (B, S, S, 3) and landmarks (B, 68, 2).

    Args:
        folder: holds ``landmarks68.csv`` and the photos it names.
        size: side of the crops, pixels.
        batch: crops a batch.
        seed: of all random numbers.
        limit: at most this many photos.
    """

    def __init__(self, folder: Path, size: int, batch: int, seed: int = 0, limit: int | None = None) -> None:
        table = read_landmarks(folder / "landmarks68.csv")
        names = sorted(table)[:limit]
        self.images = [read_image(folder / name) for name in names]
        self.landmarks = [table[name] for name in names]
        self.size, self.batch, self.seed = size, batch, seed

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, step))
        samples = [self.sample(int(i), rng) for i in rng.integers(0, len(self.images), self.batch)]
        crops, landmarks = zip(*samples)
        return torch.from_numpy(np.stack(crops)), torch.from_numpy(np.stack(landmarks).astype(np.float32))

    def sample(self, i: int, rng: np.random.Generator) -> tuple[Image, np.ndarray]:
        """Photo ``i`` under a random turn, zoom, shift, mirror and damage; landmarks in crop sides from the centre."""
        image, landmarks = self.images[i], self.landmarks[i]
        rough = rng.random() < 0.5  # half the crops as a first, rough look would cut them
        matrix = similarity_from_points(points_from_landmarks(landmarks), self.size, TEMPLATE)
        jitter = (18, 0.22, 0.07) if rough else (7, 0.08, 0.025)
        matrix = jittered_matrix(matrix, self.size, rng, *jitter)
        mirrored = rng.random() < 0.5
        if mirrored:
            matrix, landmarks = mirror_matrix(matrix, self.size), landmarks[MIRROR_68.numpy()]
        crop = damage(warp(image, matrix, self.size, cv2.BORDER_REPLICATE), rng)
        return crop, (transform_points(landmarks, matrix) + 0.5) / self.size - 0.5


def stream(dataset: Dataset, first: int, stop: int, workers: int = 1) -> Iterator:
    """The batches of steps ``first`` to ``stop - 1``, made ahead by worker processes."""
    return iter(
        DataLoader(
            dataset, batch_size=None, sampler=range(first, stop), num_workers=workers,
            prefetch_factor=4 if workers else None, generator=torch.Generator(), worker_init_fn=lambda _: (cv2.setNumThreads(1), torch.set_num_threads(1)),
        )
    )  # fmt: skip


def to_unit(crops: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """uint8 (B, S, S, 3) to (B, 3, S, S) in [0, 1], channels-last in memory."""
    return (crops.permute(0, 3, 1, 2).to(dtype) / 255).contiguous(memory_format=torch.channels_last)
