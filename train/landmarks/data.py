"""Faces with 68 landmarks, as augmented batches that depend on nothing but seed and number."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from facerecon.faces.align import MIRROR_68, mirror_matrix, points_from_landmarks, similarity_from_points, transform_points, warp
from facerecon.restoration.degradations import degrade, random_level
from facerecon.types import Face, FaceReconError, Image
from train.landmarks.augment import damage, jittered_matrix
from train.landmarks.turned import frontality

TEMPLATE = "reconstruction"
ASIDE = 0.15  # frontality of heads turned aside by some 40 degrees and more, whose landmarks labels of photos draw too frontal


def read_landmarks(path: Path, points: int = 68) -> dict[str, np.ndarray]:
    """Landmarks by file name, each (points, 2) float32, from a table ``file,x0,y0,...``."""
    with open(path, newline="") as handle:
        rows = list(csv.DictReader(handle))
    columns = [f"{axis}{i}" for i in range(points) for axis in "xy"]
    return {r["file"]: np.array([float(r[c]) for c in columns], np.float32).reshape(points, 2) for r in rows}


def read_image(path: Path) -> Image:
    """One photo, (H, W, 3) uint8 RGB.

    Raises:
        FaceReconError: it is not there, or no picture.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FaceReconError(f"{path} is not there, or is no picture that can be read.")
    return np.ascontiguousarray(picture[..., ::-1])


class Chances:
    """Draws numbers of things by their weights, (N,)."""

    def __init__(self, weights: np.ndarray) -> None:
        self._up_to = np.cumsum(weights) / np.sum(weights)

    def draw(self, rng: np.random.Generator) -> int:
        """One of 0 to N - 1."""
        return min(int(np.searchsorted(self._up_to, rng.random(), "right")), len(self._up_to) - 1)


def face_of(landmarks: np.ndarray, errors: np.ndarray) -> Face:
    """The face of 68 landmarks (68, 2) that are expected to be off by ``errors`` (68,) pixels."""
    box = np.r_[landmarks.min(0), landmarks.max(0)].astype(np.float32)
    return Face(box, points_from_landmarks(landmarks).astype(np.float32), landmarks=landmarks, landmark_errors=errors)


class Photos:
    """The photos of a folder with ``landmarks68.csv``, in memory.

    Args:
        folder: holds the table and the photos it names.
        limit: at most this many photos.
        shift: taken from all landmarks, pixels (x, y).
    """

    def __init__(self, folder: Path, limit: int | None = None, shift: Sequence[float] = (0.0, 0.0)) -> None:
        table = read_landmarks(folder / "landmarks68.csv")
        self.names = sorted(table)[:limit]
        self.images: Sequence[Image] = [read_image(folder / name) for name in self.names]
        self.landmarks: Sequence[np.ndarray] = [table[name] - np.array(shift, np.float32) for name in self.names]

    def draw(self, rng: np.random.Generator) -> int:
        """The number of a photo."""
        return int(rng.integers(len(self.images)))


class Crops:
    """Stored crops, as ``train.landmarks.label``, ``train.reconstruction.prerender`` and ``train.detector.candidates`` write them.

    Args:
        folder: holds ``images.npy`` and ``labels.npz``.
        pack: ``"true"`` for those whose landmarks a person or the renderer set, ``"seen"`` for the labeller's own.
        most: largest disagreement of the labeller with itself.
        limit: at most this many crops.
        aside: how much more often heads seen from the side are drawn; with 0 none are.
    """

    def __init__(
        self, folder: Path, pack: str = "true", most: float = 1.0, limit: int | None = None, aside: float = 1.0
    ) -> None:
        labels = np.load(folder / "labels.npz")
        landmarks = labels["landmarks"]
        keep = np.ones(len(landmarks), bool)
        if "true" in labels:
            keep = (labels["true"] == (pack == "true")) & (labels["disagreement"] <= most)
        chosen = np.flatnonzero(keep)[:limit]
        # Read once: the pages of a memory-mapped file may be thrown out while training goes on.
        self.images: Sequence[Image] = np.load(folder / "images.npy", mmap_mode="r")[chosen]
        self.landmarks: Sequence[np.ndarray] = landmarks[chosen]
        self._chances = Chances(np.where(frontality(self.landmarks) < ASIDE, aside, 1.0))

    def draw(self, rng: np.random.Generator) -> int:
        """The number of a crop."""
        return self._chances.draw(rng)


class LandmarkBatches(Dataset):
    """Item ``number`` is a whole batch: crops uint8 (B, S, S, 3) and landmarks (B, 68, 2).

    Args:
        sources: what to draw from.
        size: side of the crops, pixels.
        batch: crops a batch.
        seed: of all random numbers.
        shares: of each source in the first batch and in the last; even by default.
        steps: batches of the whole run, over which the shares change.
        template: framing of the crops.
        empty: pictures without a face, (N, S, S, 3); their landmarks are not a number.
        empty_share: of them in a batch.
        degraded: share of the crops that go through a chain of ``facerecon.restoration.degradations`` as well.
    """

    def __init__(
        self, sources: Sequence[Photos | Crops], size: int, batch: int, seed: int = 0,
        shares: tuple[Sequence[float], Sequence[float]] | None = None, steps: int = 1,
        template: str = TEMPLATE, empty: np.ndarray | None = None, empty_share: float = 0.05, degraded: float = 0.0,
    ) -> None:  # fmt: skip
        self.sources, self.size, self.batch, self.seed, self.steps = sources, size, batch, seed, steps
        self.shares = np.array(shares or ([1.0] * len(sources),) * 2, float)
        self.template, self.empty, self.empty_share = template, empty, empty_share
        self.degraded = degraded

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, number))
        first, last = self.shares
        shares = first + (last - first) * min(number / self.steps, 1.0)
        chosen = rng.choice(len(self.sources), self.batch, p=shares / shares.sum())
        samples = [self._draw(self.sources[k], rng) for k in chosen]
        crops, landmarks = zip(*samples)
        return torch.from_numpy(np.stack(crops)), torch.from_numpy(np.stack(landmarks).astype(np.float32))

    def _draw(self, source: Photos | Crops, rng: np.random.Generator) -> tuple[Image, np.ndarray]:
        if self.empty is not None and rng.random() < self.empty_share:
            image = self.empty[rng.integers(len(self.empty))]
            turned = np.ascontiguousarray(np.rot90(image, rng.integers(4)))
            return damage(turned, rng), np.full((68, 2), np.nan)
        i = source.draw(rng)
        return self.sample(source.images[i], source.landmarks[i], rng)

    def sample(self, image: Image, landmarks: np.ndarray, rng: np.random.Generator) -> tuple[Image, np.ndarray]:
        """A photo under a random turn, zoom, shift, mirror and damage; landmarks in crop sides from the centre.

        Of a picture whose landmarks are not a number, as it holds no face, the middle is taken.
        """
        rough = rng.random() < 0.5  # half the crops as a first, rough look would cut them
        if np.isfinite(landmarks).all():
            matrix = similarity_from_points(points_from_landmarks(landmarks), self.size, self.template)
        else:
            matrix = np.c_[np.eye(2), np.subtract(self.size, image.shape[1::-1]) / 2]
        jitter = (18, 0.22, 0.07) if rough else (7, 0.08, 0.025)
        matrix = jittered_matrix(matrix, self.size, rng, *jitter)
        if rng.random() < 0.5:
            matrix, landmarks = mirror_matrix(matrix, self.size), landmarks[MIRROR_68]
        crop = warp(image, matrix, self.size, cv2.BORDER_REPLICATE)
        if rng.random() < self.degraded:
            crop = degrade(crop, random_level(rng), rng)
        crop = damage(crop, rng)
        return crop, (transform_points(landmarks, matrix) + 0.5) / self.size - 0.5


def empty_pictures(folders: Sequence[Path], size: int, limit: int | None = None) -> np.ndarray:
    """The four corners of portraits, where no face is: (N, size, size, 3)."""
    out = []
    for path in [p for folder in folders for p in sorted(folder.glob("*.webp"))][:limit]:
        image = read_image(path)
        side = min(image.shape[:2]) // 4
        for rows in (slice(side), slice(-side, None)):
            for columns in (slice(side), slice(-side, None)):
                out.append(cv2.resize(image[rows, columns], (size, size), interpolation=cv2.INTER_AREA))
    return np.stack(out)


def stream(dataset: Dataset, first: int, stop: int, workers: int = 1, place: tuple[int, int] = (0, 1)) -> Iterator:
    """The batches of steps ``first`` to ``stop - 1``, made ahead by worker processes.

    Args:
        dataset: item ``number`` is a whole batch.
        first, stop: steps.
        workers: how many processes make batches.
        place: the number of this process, and of all that train together: they take the items in turn.
    """
    rank, ranks = place
    return iter(
        DataLoader(
            dataset, batch_size=None, sampler=range(first * ranks + rank, stop * ranks, ranks), num_workers=workers,
            prefetch_factor=4 if workers else None, generator=torch.Generator(), worker_init_fn=lambda _: (cv2.setNumThreads(1), torch.set_num_threads(1)),
        )
    )  # fmt: skip


def to_unit(crops: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """uint8 (B, S, S, 3) to (B, 3, S, S) in [0, 1], channels-last in memory."""
    return (crops.permute(0, 3, 1, 2).to(dtype) / 255).contiguous(memory_format=torch.channels_last)
