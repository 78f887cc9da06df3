"""Noise of sensors and grain of film."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.types import Image


def sensor_noise(image: Image, sigma: float, rng: np.random.Generator, grey: bool = False) -> Image:
    """Gaussian noise of ``sigma`` grey levels; ``grey`` gives film grain, equal in the three channels."""
    noise = rng.standard_normal((*image.shape[:2], 1 if grey else 3), dtype=np.float32) * sigma
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def shot_noise(image: Image, photons: float, rng: np.random.Generator) -> Image:
    """Poisson noise of a dim exposure: white is ``photons`` of them, so that shadows are the noisiest."""
    counts = rng.poisson(image.astype(np.float32) / 255 * photons)
    return np.clip(counts * (255 / photons), 0, 255).round().astype(np.uint8)


def film_grain(image: Image, sigma: float, size: float, rng: np.random.Generator) -> Image:
    """Grain of silver film: monochrome clumps of ``size`` pixels, strongest in the middle tones.

    Args:
        sigma: standard deviation in grey levels where the photo is half bright.
        size: sigma of the clumps' blur, pixels; 0 gives single pixels.
    """
    grain = rng.standard_normal(image.shape[:2], dtype=np.float32)
    if size >= 0.1:
        grain = cv2.GaussianBlur(grain, (0, 0), size)
    grain *= sigma / max(float(grain.std()), 1e-6)
    tone = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    strength = np.sqrt(np.clip(4 * tone * (1 - tone), 0.05, 1))
    return np.clip(image + (grain * strength)[..., None], 0, 255).round().astype(np.uint8)
