"""The four levels of the random chain that networks are trained with.

The order (blur, shrink, noise, compress, enlarge) is that of Wang et al., "Towards
Real-World Blind Face Restoration with Generative Facial Prior", CVPR 2021, section 4.1;
compression may strike once more afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from facerecon.restoration.degradations.blur import anisotropic_blur, gaussian_blur, motion_blur
from facerecon.restoration.degradations.compression import jpeg, webp
from facerecon.restoration.degradations.noise import sensor_noise
from facerecon.restoration.degradations.resampling import RESIZE_KERNELS, enlarge, shrink
from facerecon.types import Image


@dataclass(frozen=True)
class DegradationLevel:
    """Ranges from which the chain draws; each is (low, high).

    Attributes:
        blur: sigma in pixels of a 256-pixel crop.
        scale: how many times smaller.
        noise: grey levels, at the small size.
        quality: of the JPEG or WebP.
    """

    blur: tuple[float, float]
    scale: tuple[float, float]
    noise: tuple[float, float]
    quality: tuple[int, int]


LEVELS = {
    "clean": DegradationLevel((0.0, 0.4), (1.0, 1.3), (0.0, 1.0), (90, 98)),
    "light": DegradationLevel((0.2, 1.0), (1.0, 2.2), (0.0, 3.0), (72, 95)),
    "medium": DegradationLevel((0.5, 2.2), (1.8, 4.5), (2.0, 8.5), (48, 82)),
    "heavy": DegradationLevel((1.2, 4.5), (4.0, 10.0), (4.0, 16.0), (28, 62)),
}
PLAIN_LEVELS = {  # those of benchmarks, a little wider
    "clean": LEVELS["clean"],
    "light": DegradationLevel((0.2, 0.8), (1.2, 1.8), (0.0, 3.2), (72, 95)),
    "medium": DegradationLevel((0.6, 2.1), (1.9, 4.2), (2.5, 8.5), (48, 82)),
    "heavy": DegradationLevel((1.3, 4.2), (4.6, 8.4), (4.5, 15.5), (28, 62)),
}
LEVEL_SHARES = {"clean": 0.1, "light": 0.25, "medium": 0.3, "heavy": 0.35}


def degrade(
    image: Image, level: str, rng: np.random.Generator, unit: float | None = None, plain: bool = False
) -> Image:
    """The random chain at one named level (see :data:`LEVELS`).

    Args:
        image: (H, W, 3) uint8.
        level: a name of :data:`LEVELS`.
        rng: random numbers.
        unit: how many pixels of the image count as one of a 256-pixel crop; its longer side over 256 if not given.
        plain: the one kind of each harm that benchmarks use (isotropic blur, area and bicubic resampling, JPEG once), as
            strong as :data:`PLAIN_LEVELS` says.
    """
    ranges = (PLAIN_LEVELS if plain else LEVELS)[level]
    h, w = image.shape[:2]
    unit = max(h, w) / 256 if unit is None else unit
    if plain:
        out = gaussian_blur(image, rng.uniform(*ranges.blur) * unit)
        out = shrink(out, rng.uniform(*ranges.scale) * unit, cv2.INTER_AREA)
        out = sensor_noise(out, rng.uniform(*ranges.noise), rng)
        return enlarge(jpeg(out, int(rng.integers(*ranges.quality))), h, w, cv2.INTER_CUBIC)
    out = _random_blur(image, rng.uniform(*ranges.blur) * unit, rng)
    kernels = RESIZE_KERNELS if rng.random() < 0.5 else (cv2.INTER_AREA,)
    out = shrink(out, np.exp(rng.uniform(*np.log(ranges.scale))) * unit, int(rng.choice(kernels)))
    out = sensor_noise(out, rng.uniform(*ranges.noise), rng, grey=rng.random() < 0.15)
    codec: Callable[[Image, int], Image] = webp if rng.random() < 0.1 else jpeg
    out = codec(out, int(rng.integers(*ranges.quality)))
    out = enlarge(out, h, w, int(rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4))))
    if level != "clean" and rng.random() < 0.15:
        out = jpeg(out, int(rng.integers(60, 95)))
    return out


def random_level(rng: np.random.Generator, shares: Mapping[str, float] = LEVEL_SHARES) -> str:
    """A level's name, drawn by ``shares``."""
    return str(rng.choice(list(shares), p=list(shares.values())))


def _random_blur(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    kind = rng.random()
    if kind < 0.6 or sigma < 0.3:
        return gaussian_blur(image, sigma)
    if kind < 0.85:
        return anisotropic_blur(image, sigma, sigma * rng.uniform(0.4, 1.0), rng.uniform(0, 180))
    return motion_blur(image, sigma * 3, rng.uniform(0, 180))
