"""What time, lenses and networks do to photos of faces: named, seeded, reusable.

Every function takes and gives an ``(H, W, 3)`` uint8 RGB image and keeps its
size. Randomness comes only from the ``numpy.random.Generator`` handed in. The
order of the random chain (blur, shrink, noise, compress, enlarge) is that of
Wang et al., "Towards Real-World Blind Face Restoration with Generative Facial
Prior", CVPR 2021, section 4.1; compression may strike once more afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from facerecon.types import Image

RESIZE_KERNELS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


def gaussian_blur(image: Image, sigma: float) -> Image:
    """Isotropic blur; ``sigma`` in pixels."""
    return image if sigma < 0.1 else cv2.GaussianBlur(image, (0, 0), sigma)


def anisotropic_blur(image: Image, sigma_x: float, sigma_y: float, angle: float) -> Image:
    """Blur with an elliptic Gaussian; sigmas in pixels, ``angle`` in degrees."""
    radius = max(int(np.ceil(3 * max(sigma_x, sigma_y))), 1)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float32)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    u, v = c * x + s * y, c * y - s * x
    kernel = np.exp(-0.5 * ((u / max(sigma_x, 0.1)) ** 2 + (v / max(sigma_y, 0.1)) ** 2))
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)


def motion_blur(image: Image, length: float, angle: float) -> Image:
    """Straight camera shake; ``length`` in pixels, ``angle`` in degrees."""
    return anisotropic_blur(image, length / 2, 0.4, angle)


def shrink(image: Image, factor: float, kernel: int = cv2.INTER_AREA) -> Image:
    """A smaller image, by ``factor`` >= 1, at least 8 pixels a side."""
    h, w = image.shape[:2]
    return cv2.resize(image, (max(round(w / factor), 8), max(round(h / factor), 8)), interpolation=kernel)


def enlarge(image: Image, height: int, width: int, kernel: int = cv2.INTER_CUBIC) -> Image:
    """Back to ``(height, width)``."""
    return cv2.resize(image, (width, height), interpolation=kernel)


def sensor_noise(image: Image, sigma: float, rng: np.random.Generator, grey: bool = False) -> Image:
    """Gaussian noise of ``sigma`` grey levels; ``grey`` gives film grain, equal in the three channels."""
    noise = rng.standard_normal((*image.shape[:2], 1 if grey else 3), dtype=np.float32) * sigma
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    """JPEG and back."""
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1], cv2.IMREAD_COLOR)


def webp(image: Image, quality: int) -> Image:
    """Lossy WebP and back."""
    return cv2.imdecode(cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, int(quality)])[1], cv2.IMREAD_COLOR)


def fade(image: Image, strength: float) -> Image:
    """Loses contrast and saturation, as old prints do; ``strength`` in [0, 1]."""
    grey = image.mean(2, keepdims=True)
    dull = image + (grey - image) * 0.7 * strength
    return np.clip(dull * (1 - 0.35 * strength) + 60 * strength, 0, 255).astype(np.uint8)


def sepia(image: Image) -> Image:
    """Brown monochrome."""
    grey = image @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.clip(grey[..., None] * np.array([1.07, 0.95, 0.76], np.float32) + 6, 0, 255).astype(np.uint8)


def scratches(image: Image, count: int, rng: np.random.Generator) -> Image:
    """Bright thin lines and specks, as on prints and film."""
    out = image.copy()
    h, w = image.shape[:2]
    for _ in range(count):
        x, y = rng.uniform(0, w), rng.uniform(0, h)
        angle, length = rng.normal(np.pi / 2, 0.5), rng.uniform(0.05, 0.8) * h
        steps = np.linspace(0, length, 12)
        drift = np.cumsum(rng.normal(0, 0.6, 12))
        line = np.stack([x + np.cos(angle) * steps + drift, y + np.sin(angle) * steps], 1)
        level = int(rng.uniform(190, 250))
        cv2.polylines(out, [line.round().astype(np.int32)], False, (level, level, level), 1, cv2.LINE_AA)
    return out


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
LEVEL_SHARES = {"clean": 0.1, "light": 0.25, "medium": 0.3, "heavy": 0.35}


def degrade(image: Image, level: str, rng: np.random.Generator) -> Image:
    """The random chain at one named level (see :data:`LEVELS`)."""
    ranges = LEVELS[level]
    h, w = image.shape[:2]
    unit = max(h, w) / 256
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


def old_photo(image: Image, rng: np.random.Generator) -> Image:
    """Monochrome, faded, grainy, scratched; the clean partner is the photo in the same monochrome."""
    out = fade(image, rng.uniform(0.1, 0.5))
    out = sensor_noise(out, rng.uniform(3, 14), rng, grey=True)
    return scratches(out, int(rng.integers(0, 6)), rng)


def random_level(rng: np.random.Generator) -> str:
    """A level's name, drawn by :data:`LEVEL_SHARES`."""
    return str(rng.choice(list(LEVEL_SHARES), p=list(LEVEL_SHARES.values())))


def _random_blur(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    kind = rng.random()
    if kind < 0.6 or sigma < 0.3:
        return gaussian_blur(image, sigma)
    if kind < 0.85:
        return anisotropic_blur(image, sigma, sigma * rng.uniform(0.4, 1.0), rng.uniform(0, 180))
    return motion_blur(image, sigma * 3, rng.uniform(0, 180))
