"""Batches of rendered people and photos for the parser, which depend on nothing but seed and number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from facerecon.faces.align import mirror_matrix, warp
from facerecon.restoration.degradations import degrade, random_level
from facerecon.types import Image
from train.landmarks.augment import damage, jittered_matrix
from train.parsing.labels import UNSEEN, only
from train.parsing.occluders import glasses, hand, thing
from train.parsing.synthetic import STORED, STORED_FACE

TURN, ZOOM, SHIFT = 8.0, 0.10, 0.04  # of the crops, as ``jittered_matrix`` takes them
DEGRADED, DAMAGED = 0.35, 0.8
COVERED = 0.12  # of the photos: something is held in front of them


@dataclass(frozen=True)
class Labelled:
    """Stored crops with what their pixels may be.

    Attributes:
        images: (N, 160, 160, 3) uint8.
        allowed: (N, 160, 160) uint8 sets of classes, see ``train.parsing.labels``.
        sure: (N, 160, 160) uint8, how much each pixel's label counts, 255 for in full; None for all in full.
        rows: the crops that are drawn from.
        landmarks: (N, 68, 2) pixels, where they are known.
    """

    images: np.ndarray
    allowed: np.ndarray
    rows: np.ndarray
    sure: np.ndarray | None = None
    landmarks: np.ndarray | None = None


def held_out(count: int) -> np.ndarray:
    """(count,) bool: every twentieth crop, which is measured on and never trained on."""
    return np.arange(count) % 20 == 0


def read_renders(folder: Path, held: bool = False) -> Labelled:
    """What ``train.parsing.prerender`` wrote."""
    images, classes = np.load(folder / "images.npy"), np.load(folder / "classes.npy")
    return Labelled(images, only(classes), np.flatnonzero(held_out(len(images)) == held))


def read_photos(folder: Path, held: bool = False, labels: Path | None = None) -> Labelled:
    """What ``train.parsing.prepare`` wrote, with the labels of ``train.parsing.label`` in place of the landmarks' where named."""
    images, landmarks = np.load(folder / "images.npy"), np.load(folder / "photos.npz")["landmarks"]
    allowed, sure = np.load(folder / "allowed.npy"), None
    if labels is not None:
        allowed, sure = np.load(labels / "allowed.npy"), np.load(labels / "sure.npy")
    return Labelled(images, allowed, np.flatnonzero(held_out(len(images)) == held), sure, landmarks)


class ParsingBatches(Dataset):
    """Item ``number`` is a whole batch: crops uint8 (B, S, S, 3), sets of classes (B, S, S) uint8, weights (B, S, S) float32.

    Args:
        sources: what to draw from.
        counts: crops a batch of each source.
        weights: how much each source's pixels count.
        size: side of the crops, pixels.
        seed: of all random numbers.
    """

    def __init__(self, sources: list[Labelled], counts: list[int], weights: list[float], size: int, seed: int = 0) -> None:
        self.sources, self.counts, self.weights, self.size, self.seed = sources, counts, weights, size, seed

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, number))
        rows = []
        for source, count, weight in zip(self.sources, self.counts, self.weights):
            for i in rng.choice(source.rows, count):
                image, allowed, sure = self.sample(source, int(i), rng)
                rows.append((image, allowed, sure * weight))
        return tuple(torch.from_numpy(np.stack(column)) for column in zip(*rows))

    def sample(self, source: Labelled, i: int, rng: np.random.Generator) -> tuple[Image, np.ndarray, np.ndarray]:
        """Crop ``i`` under a random turn, zoom, shift, mirror and damage, its sets of classes and weights."""
        image, allowed = source.images[i], source.allowed[i]
        if source.landmarks is not None and rng.random() < COVERED:
            image, allowed = _covered(image, allowed, source.landmarks[i], rng, source.images)
        matrix = jittered_matrix(stored_to_crop(self.size), self.size, rng, TURN, ZOOM, SHIFT)
        if rng.random() < 0.5:
            matrix = mirror_matrix(matrix, self.size)
        crop = warp(image, matrix, self.size, cv2.BORDER_REPLICATE)
        allowed = _nearest(allowed, matrix, self.size, UNSEEN)
        sure = np.ones(allowed.shape, np.float32) if source.sure is None else _nearest(source.sure[i], matrix, self.size, 0) / np.float32(255)
        if rng.random() < DEGRADED:
            crop = degrade(crop, random_level(rng), rng)
        return damage(crop, rng, DAMAGED, covered=False), allowed, sure


def stored_to_crop(size: int) -> np.ndarray:
    """(2, 3): pixels of a stored crop to those of the network's crop of ``size``, without jitter."""
    scale = size / STORED_FACE
    shift = (scale - 1) / 2 - (STORED - STORED_FACE) / 2 * scale
    return np.array([[scale, 0, shift], [0, scale, shift]])


def _nearest(values: np.ndarray, matrix: np.ndarray, size: int, beyond: int) -> np.ndarray:
    return cv2.warpAffine(values, matrix, (size, size), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=beyond)


def _covered(image: Image, allowed: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, others: np.ndarray):
    """A photo with glasses, a hand or a piece of another photo in front."""
    classes = np.zeros(allowed.shape, np.uint8)
    classes[allowed == only(np.array(1))] = 1
    before, kind = classes.copy(), rng.random()
    if kind < 0.4:
        out = glasses(image.astype(np.float32), classes, landmarks, rng)
    elif kind < 0.7:
        out = hand(image.astype(np.float32), classes, landmarks, rng)
    else:
        out = thing(image.astype(np.float32), classes, others[rng.integers(len(others))], rng)
    return np.clip(out, 0, 255).astype(np.uint8), np.where(classes != before, only(classes), allowed)
