"""Crops with jitter and photometric damage, shared by the landmark and reconstruction stages."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.types import Image


def jittered_matrix(
    matrix: np.ndarray, size: int, rng: np.random.Generator, turn: float, zoom: float, shift: float
) -> np.ndarray:
    """A crop's (2, 3) matrix followed by a random similarity about the crop's centre.

    Args:
        matrix: photo pixels to crop pixels.
        size: side of the crop, pixels.
        rng: random numbers.
        turn: standard deviation of the rotation, degrees.
        zoom: standard deviation of the logarithm of the scale.
        shift: standard deviation of the shift, crop sides.
    """
    angle, scale = np.radians(rng.normal(0, turn)), np.exp(rng.normal(0, zoom))
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[c, -s], [s, c]])
    centre = np.full(2, (size - 1) / 2)
    out = np.empty((2, 3))
    out[:, :2] = linear @ matrix[:, :2]
    out[:, 2] = linear @ (matrix[:, 2] - centre) + centre + rng.normal(0, shift, 2) * size
    return out


def damage(image: Image, rng: np.random.Generator, strength: float = 1.0, covered: bool = True) -> Image:
    """Random colour, blur, loss of resolution, noise, JPEG and, unless not ``covered``, a patch, each with some chance."""
    size = image.shape[0]
    out = image.astype(np.float32)
    if rng.random() < 0.8 * strength:
        out = (out - 128) * rng.uniform(0.65, 1.35) + 128 + rng.uniform(-35, 35)
        out *= np.exp(rng.normal(0, 0.08, 3)).astype(np.float32)
    if rng.random() < 0.15 * strength:
        out[:] = out.mean(2, keepdims=True)
    if rng.random() < 0.25 * strength:
        ramp = np.linspace(-1, 1, size, dtype=np.float32) * rng.uniform(-0.4, 0.4)
        out *= (1 + (ramp[None, :, None] if rng.random() < 0.5 else ramp[:, None, None]))
    kind = rng.random()
    if kind < 0.25 * strength:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 2.2))
    elif kind < 0.5 * strength:
        small = int(size * rng.uniform(0.2, 0.7))
        out = cv2.resize(cv2.resize(out, (small, small), interpolation=cv2.INTER_AREA), (size, size))
    if rng.random() < 0.25 * strength:
        out += rng.normal(0, rng.uniform(2, 14), (size, size, 1)).astype(np.float32)
    out = np.clip(out, 0, 255).astype(np.uint8)
    if rng.random() < 0.35 * strength:
        _, data = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(12, 80))])
        out = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if covered and rng.random() < 0.3 * strength:
        cover(out, rng)
    return out


def cover(image: Image, rng: np.random.Generator) -> None:
    """Hides part of the crop in place: a hand, a phone, a caption."""
    size = image.shape[0]
    centre, axes = rng.uniform(0, size, 2), rng.uniform(0.06, 0.28, 2) * size
    colour = rng.uniform(0, 255, 3).tolist()
    if rng.random() < 0.5:
        cv2.ellipse(image, (tuple(centre), tuple(2 * axes), float(rng.uniform(0, 180))), colour, -1)
    else:
        x, y = (centre - axes).astype(int)
        w, h = (2 * axes).astype(int)
        patch = image[max(y, 0) : y + h, max(x, 0) : x + w]
        patch[:] = rng.integers(0, 255, patch.shape) if rng.random() < 0.3 else np.array(colour, np.uint8)
