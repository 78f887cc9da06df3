"""Pairs of clean and degraded crops, made on the fly and the same for the same number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from facerecon.restoration.degradations import degrade, fade, old_photo, random_level, sepia
from facerecon.types import Image
from train.data.packs import FacePack


@dataclass(frozen=True)
class PackFraming:
    """How crops are cut from a pack.

    Attributes:
        name: the pack's file or folder name.
        weight: how often an image of it is drawn, relative to the others.
        zoom: range of the enlargement that brings faces to the restoration template's size.
        center: where the crop's middle lies in the image, as a share of width and height.
        wander: how far the middle moves, as a share of the crop.
    """

    name: str
    weight: float
    zoom: tuple[float, float]
    center: tuple[float, float] = (0.5, 0.5)
    wander: float = 0.06


PACKS = (
    PackFraming("utkface_sharp.tar", 1.0, (0.9, 1.25)),
    PackFraming("official_portraits.tar", 2.5, (0.7, 1.1), (0.5, 0.45), 0.12),
    PackFraming("studio_portraits.tar", 4.0, (0.8, 1.25), (0.5, 0.44), 0.10),
    PackFraming("stylegan.tar", 1.0, (1.0, 1.35), (0.5, 0.55)),
    PackFraming("scut_fbp5500.tar", 0.6, (0.85, 1.15)),
)
FFHQ_FRAMING = PackFraming("FFHQ", 1.0, (0.6, 1.35), (0.5, 0.55))


class CleanFaces:
    """Every image of the packs in memory, and random crops of them.

    Args:
        root: folder that holds the packs.
        size: side of a crop, pixels.
        packs: which packs, and how to frame them.
        limit: at most this many images of each pack, for quick trials.

    The packs that are in ``root`` are used; where there is none, ``root`` itself is taken
    as a folder of faces framed as in FFHQ (Karras et al., CVPR 2019).

    Raises:
        FileNotFoundError: there is no image at all.
    """

    def __init__(self, root: Path, size: int, packs: tuple[PackFraming, ...] = PACKS, limit: int | None = None):
        self.size, self.images, self.framings, weights = size, [], [], []
        present = [(f, root / f.name) for f in packs if (root / f.name).exists()] or [(FFHQ_FRAMING, root)]
        for framing, path in present:
            pack = FacePack(path)
            for i in range(min(len(pack), limit or len(pack))):
                self.images.append(pack.image(i))
                self.framings.append(framing)
                weights.append(framing.weight)
        if not self.images:
            raise FileNotFoundError(f"There are no images to train on in {root}.")
        self.cumulative = np.cumsum(weights) / np.sum(weights)

    def crop(self, rng: np.random.Generator) -> Image:
        """A random crop (size, size, 3): mirrored half of the time, turned and shifted a little."""
        i = int(np.searchsorted(self.cumulative, rng.random()))
        image, framing = self.images[min(i, len(self.images) - 1)], self.framings[min(i, len(self.images) - 1)]
        h, w = image.shape[:2]
        zoom = rng.uniform(*framing.zoom) * self.size / 256
        center = np.array(framing.center) * (w, h) + rng.uniform(-1, 1, 2) * framing.wander * self.size / zoom
        matrix = cv2.getRotationMatrix2D(tuple(center), rng.normal(0, 4), zoom)
        matrix[:, 2] += self.size / 2 - center
        flags = cv2.INTER_AREA if zoom < 0.8 else cv2.INTER_CUBIC
        out = cv2.warpAffine(image, matrix, (self.size, self.size), flags=flags, borderMode=cv2.BORDER_REFLECT)
        return out[:, ::-1].copy() if rng.random() < 0.5 else out


def sample_pair(faces: CleanFaces, rng: np.random.Generator) -> tuple[Image, Image]:
    """One ``(clean, degraded)`` pair; one in ten is monochrome or an old print."""
    clean = faces.crop(rng)
    clean = np.clip(clean * rng.uniform(0.85, 1.1), 0, 255).astype(np.uint8) if rng.random() < 0.3 else clean
    kind = rng.random()
    if kind < 0.05:
        clean = np.repeat(cv2.cvtColor(clean, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    elif kind < 0.08:
        clean = sepia(clean)
    source = clean
    if kind < 0.08 and rng.random() < 0.6:
        source = old_photo(clean, rng)
    elif kind > 0.97:
        source = fade(clean, rng.uniform(0, 0.4))
    return clean, degrade(source, random_level(rng), rng)


class PairDataset(Dataset):
    """Pair number ``i`` is always the same pair: its generator is seeded by ``(seed, i)``."""

    def __init__(self, faces: CleanFaces, seed: int, start: int, length: int) -> None:
        self.faces, self.seed, self.start, self.length = faces, seed, start, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        cv2.setNumThreads(0)
        rng = np.random.default_rng((self.seed, self.start + i))
        clean, degraded = sample_pair(self.faces, rng)
        return torch.from_numpy(clean), torch.from_numpy(degraded)


def batches(faces: CleanFaces, batch_size: int, first_step: int, last_step: int, seed: int, workers: int) -> Iterator:
    """Batches ``first_step`` to ``last_step`` as uint8 (B, S, S, 3) pairs, whatever was run before."""
    dataset = PairDataset(faces, seed, first_step * batch_size, (last_step - first_step) * batch_size)
    # A generator of its own: else each start would draw a number from the one that training uses.
    options = {"prefetch_factor": 4 if workers else None, "generator": torch.Generator()}
    return iter(DataLoader(dataset, batch_size, num_workers=workers, **options))
