"""What a camera and a network do to a scene: light, colour, blur, noise, few pixels, JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.restoration.degradations import gaussian_blur, jpeg, motion_blur, resample
from facerecon.types import Image

GREY, DARK = 0.12, 0.1  # shares of scenes


def photograph(image: Image, rng: np.random.Generator) -> Image:
    """One (H, W, 3) uint8 picture of the scene; nothing moves."""
    draw = rng.random()
    if draw < 0.15:
        image = gaussian_blur(image, rng.uniform(0.4, 1.6))
    elif draw < 0.3:
        image = resample(image, rng.uniform(1.1, 2.2))
    elif draw < 0.34:
        image = motion_blur(image, length=rng.uniform(2, 6), angle=rng.uniform(0, 180))
    image = _developed(image, rng)
    if rng.random() < 0.3:
        image = _noisy(image, rng.uniform(2, 16), rng)
    return jpeg(image, int(rng.integers(20, 92))) if rng.random() < 0.4 else image


def snapshot(image: Image, rng: np.random.Generator) -> Image:
    """An ordinary photo of the scene: exposure a little off, good JPEG."""
    gain = np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.03, 3))
    image = cv2.LUT(np.ascontiguousarray(image), np.clip(np.arange(256)[:, None] * gain, 0, 255).astype(np.uint8)[None])
    return jpeg(image, int(rng.integers(75, 96)))


def _developed(image: Image, rng: np.random.Generator) -> Image:
    """Brightness, contrast, gamma and white balance in one table; sometimes no colour."""
    levels = np.linspace(0, 1, 256)
    tint = np.exp(rng.normal(0, 0.08, 3))
    curve = (levels ** np.exp(rng.normal(0, 0.25)) - 0.5) * np.exp(rng.normal(0, 0.2)) + 0.5 + rng.normal(0, 0.07)
    if rng.random() < DARK:
        curve = curve * rng.uniform(0.12, 0.5)
    table = np.clip(curve[:, None] * tint * 255, 0, 255).astype(np.uint8)
    if rng.random() < GREY:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        table = np.repeat(table[:, :1], 3, axis=1)
    return cv2.LUT(np.ascontiguousarray(image), table[None])


def _noisy(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Gaussian noise, alike in the three channels; a bank drawn small and shifted costs less than fresh numbers."""
    height, width = image.shape[:2]
    bank = rng.standard_normal((height // 2 + 1, width // 2 + 1), dtype=np.float32)
    noise = np.tile(bank, (2, 2))[:height, :width] * sigma
    return cv2.add(image, cv2.merge([noise] * 3), dtype=cv2.CV_8U)
