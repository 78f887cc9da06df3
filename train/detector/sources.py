"""Where scenes take their faces and their surroundings from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from facerecon.types import Image
from train.detector.prepare import FacePhotos
from train.landmarks.data import Chances, read_image
from train.landmarks.turned import HALF_PROFILE, PROFILE, frontality

SIDEWAYS = {HALF_PROFILE: 1.5, PROFILE: 3.0}  # how much more often heads turned to the side are drawn


class FaceSource(Protocol):
    """Pictures of one face each, with 68 landmarks."""

    whole: bool  # whether what surrounds the face is a photo's own
    landmarks: np.ndarray

    def __len__(self) -> int: ...

    def image(self, i: int) -> Image:
        """Picture ``i``, (H, W, 3) uint8."""
        ...


@dataclass
class FaceCrops:
    """Aligned crops of ``train.landmarks.label`` or renders of ``train.reconstruction.prerender``.

    Attributes:
        images: (N, S, S, 3) uint8, a memory map.
        landmarks: (N, 68, 2) in pixels of the crop.
    """

    images: np.ndarray
    landmarks: np.ndarray
    whole = False

    @classmethod
    def load(cls, folder: Path) -> FaceCrops:
        """From the folder with ``images.npy`` and ``labels.npz``."""
        return cls(np.load(folder / "images.npy", mmap_mode="r"), np.load(folder / "labels.npz")["landmarks"])

    def __len__(self) -> int:
        return len(self.landmarks)

    def image(self, i: int) -> Image:
        """Picture ``i``."""
        return self.images[i]


@dataclass
class FaceMixture:
    """Several sources, drawn from by their shares; heads turned to the side more often than there are, see ``SIDEWAYS``."""

    sources: list[FaceSource]
    shares: list[float]
    _chances: list[Chances] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._chances = []
        for source in self.sources:
            ratio, weight = frontality(np.asarray(source.landmarks)), np.ones(len(source))
            for bound, times in SIDEWAYS.items():
                weight[ratio < bound] = times
            self._chances.append(Chances(weight))

    @classmethod
    def load(cls, photos: list[Path], crops: list[Path], renders: list[Path], packs: Collection[str] = ()) -> FaceMixture:
        """Photos, of all packs or some, count 60, crops 30, renders 10 parts, of those that there are."""
        read = [FacePhotos.load(p) for p in photos]
        groups = [([p.only(packs) for p in read] if packs else read, 0.6), ([FaceCrops.load(p) for p in crops], 0.3)]
        groups.append(([FaceCrops.load(p) for p in renders], 0.1))
        pairs = [(source, share / len(found)) for found, share in groups for source in found]
        total = sum(share for _, share in pairs)
        return cls([source for source, _ in pairs], [share / total for _, share in pairs])

    def draw(self, rng: np.random.Generator, whole: bool = False) -> tuple[Image, np.ndarray, bool]:
        """A picture, its landmarks (68, 2), and whether its surroundings are real; ``whole`` asks for such."""
        while True:
            which = int(rng.choice(len(self.sources), p=self.shares))
            source = self.sources[which]
            if source.whole or not whole:
                i = self._chances[which].draw(rng)
                return source.image(i), source.landmarks[i], source.whole


class Backgrounds:
    """Pictures without a face.

    Args:
        folders: of pictures, or single files.
    """

    def __init__(self, folders: list[Path]) -> None:
        files = [p for f in folders for p in (sorted(f.iterdir()) if f.is_dir() else [f])]
        self.images = [read_image(path) for path in files]

    def draw(self, width: int, height: int, rng: np.random.Generator) -> Image:
        """Part of a picture or a texture, zoomed and mirrored at random, (height, width, 3)."""
        if rng.random() < 0.25 or not self.images:
            return texture(width, height, rng)
        image = self.images[int(rng.integers(len(self.images)))]
        share = float(np.exp(rng.uniform(np.log(0.12), 0)))  # of the picture's short side
        side = max(8, int(share * min(image.shape[:2])))
        w, h = (side, max(8, side * height // width)) if width >= height else (max(8, side * width // height), side)
        x, y = int(rng.integers(image.shape[1] - w + 1)), int(rng.integers(image.shape[0] - h + 1))
        part = image[y : y + h, x : x + w]
        part = part[:, ::-1] if rng.random() < 0.5 else part
        part = np.rot90(part) if rng.random() < 0.1 and w == h else part
        shrinks = w > width
        return cv2.resize(np.ascontiguousarray(part), (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def texture(width: int, height: int, rng: np.random.Generator) -> Image:
    """One colour, a gradient, clouds of noise at any scale, stripes or a chessboard."""
    first, second = rng.integers(0, 256, 3).astype(np.float32), rng.integers(0, 256, 3).astype(np.float32)
    kind = rng.integers(5)
    if kind == 0:
        return np.broadcast_to(first.astype(np.uint8), (height, width, 3)).copy()
    if kind == 1:
        corners = np.stack([first, second, second if rng.random() < 0.5 else first, rng.integers(0, 256, 3)])
        return cv2.resize(corners.reshape(2, 2, 3).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
    if kind == 2:
        cells = int(np.exp(rng.uniform(np.log(3), np.log(100))))
        mix = rng.random((cells, cells, 1 if rng.random() < 0.6 else 3), dtype=np.float32)
        clouds = (first + (second - first) * mix).clip(0, 255).astype(np.uint8)
        return cv2.resize(clouds, (width, height), interpolation=cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST)
    period, angle = float(np.exp(rng.uniform(np.log(3), np.log(60)))), rng.uniform(0, np.pi)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period))
    if kind == 4:
        wave *= np.sin((y * np.cos(angle) - x * np.sin(angle)) * (2 * np.pi / period))
    mix = (wave > 0).astype(np.float32) if rng.random() < 0.5 else (wave + 1) / 2
    return (first + (second - first) * mix[..., None]).astype(np.uint8)
