"""What befalls photos on paper: fading, sepia, scratches, stains, the dots of a newspaper."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.restoration.degradations.noise import sensor_noise
from facerecon.types import Image

_PAPER = np.array([246, 240, 226], np.float32)
_SUPERSAMPLING = 3  # dots are drawn this many times finer, so that they stay round


def monochrome(image: Image) -> Image:
    """Black and white, with the weights of BT.601."""
    return np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)


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


def stains(image: Image, count: int, strength: float, rng: np.random.Generator) -> Image:
    """Soft yellow-brown blots of damp; ``strength`` in [0, 1] is how opaque they are."""
    h, w = image.shape[:2]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    cover = np.zeros((h, w), np.float32)
    for _ in range(count):
        centre, radius = rng.uniform(0, (w, h)), rng.uniform(0.06, 0.3) * min(h, w)
        distance = np.hypot(x - centre[0], y - centre[1]) / radius
        wobble = 0.15 * np.sin(3 * np.arctan2(y - centre[1], x - centre[0]) + rng.uniform(0, 6.28))
        cover = np.maximum(cover, 1 / (1 + np.exp(12 * (distance - 1 + wobble))))
    colour = np.array([176, 142, 88], np.float32)
    weight = (cover * strength * 0.6)[..., None]
    return np.clip(image + weight * (colour - image), 0, 255).round().astype(np.uint8)


def halftone(image: Image, pitch: float, angle: float = 45.0) -> Image:
    """Black dots on paper, as newspapers print: dark parts have large dots.

    Args:
        pitch: distance of the dots, pixels.
        angle: of their rows, degrees.
    """
    h, w = image.shape[:2]
    fine = _SUPERSAMPLING
    tone = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (w * fine, h * fine), interpolation=cv2.INTER_LINEAR)
    y, x = np.mgrid[0 : h * fine, 0 : w * fine].astype(np.float32) / fine
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    waves = np.cos(2 * np.pi * (c * x + s * y) / pitch) + np.cos(2 * np.pi * (c * y - s * x) / pitch)
    ink = (tone / 255.0 < 0.5 + waves / 4.2).astype(np.float32)
    ink = cv2.resize(ink, (w, h), interpolation=cv2.INTER_AREA)[..., None]
    return np.clip(_PAPER * (1 - ink) + 28 * ink, 0, 255).round().astype(np.uint8)


def old_photo(image: Image, rng: np.random.Generator) -> Image:
    """Monochrome, faded, grainy, scratched; the clean partner is the photo in the same monochrome."""
    out = fade(image, rng.uniform(0.1, 0.5))
    out = sensor_noise(out, rng.uniform(3, 14), rng, grey=True)
    return scratches(out, int(rng.integers(0, 6)), rng)
