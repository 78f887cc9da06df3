"""What a photo of the same person may look like: moved, mirrored, coloured, lit, damaged, half hidden."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.restoration.degradations import degrade, enlarge, gaussian_blur, jpeg, sensor_noise, shrink
from facerecon.types import Image
from train.identity.prepare import CROP, STORED

SLIGHT_SHARE, MEDIUM_SHARE, HEAVY_SHARE = 0.25, 0.15, 0.05  # of damage; the rest stays as it is
GREY_SHARE, LIGHT_SHARE, HIDDEN_SHARE = 0.12, 0.35, 0.35


def augment(stored: Image, rng: np.random.Generator) -> Image:
    """One (112, 112, 3) view of a stored crop (128, 128, 3)."""
    image = _moved(stored, rng)
    draw = rng.random()
    if draw < SLIGHT_SHARE:
        image = _slightly_damaged(image, rng)
    elif draw < SLIGHT_SHARE + MEDIUM_SHARE + HEAVY_SHARE:
        image = degrade(image, "medium" if draw < SLIGHT_SHARE + MEDIUM_SHARE else "heavy", rng)
    if rng.random() < LIGHT_SHARE:
        image = _lit_from_a_side(image, rng)
    image = _coloured(image, rng)
    return _partly_hidden(image, rng) if rng.random() < HIDDEN_SHARE else image


def _moved(stored: Image, rng: np.random.Generator) -> Image:
    """A detector's errors: a few degrees, percent and pixels; mirrored half of the time."""
    angle, scale = np.radians(rng.normal(0, 4)), np.exp(rng.normal(0, 0.04))
    stretch = np.exp(rng.normal(0, 0.02))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[c * stretch * mirror, -s], [s * stretch * mirror, c]])
    middle = (CROP - 1) / 2 + rng.normal(0, 1.8, 2)
    shift = middle - linear @ np.full(2, (STORED - 1) / 2)
    matrix = np.concatenate((linear, shift[:, None]), axis=1)
    return cv2.warpAffine(stored, matrix, (CROP, CROP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _slightly_damaged(image: Image, rng: np.random.Generator) -> Image:
    """What an ordinary small photo has gone through."""
    small = shrink(gaussian_blur(image, rng.uniform(0, 0.8)), rng.uniform(1, 2))
    small = jpeg(sensor_noise(small, rng.uniform(0, 4), rng), int(rng.integers(50, 96)))
    return enlarge(small, CROP, CROP)


def _coloured(image: Image, rng: np.random.Generator) -> Image:
    """Brightness, contrast, gamma and white balance in one table; saturation, and sometimes none of it."""
    levels = np.linspace(0, 1, 256)
    tint = np.exp(rng.normal(0, 0.06, 3))
    curve = (levels ** np.exp(rng.normal(0, 0.2)) - 0.5) * np.exp(rng.normal(0, 0.15)) + 0.5 + rng.normal(0, 0.06)
    table = np.clip(curve[:, None] * tint * 255, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table[None])
    saturation = 0.0 if rng.random() < GREY_SHARE else float(np.clip(rng.normal(0.95, 0.25), 0.2, 1.5))
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(image, saturation, grey, 1 - saturation, 0)


def _lit_from_a_side(image: Image, rng: np.random.Generator) -> Image:
    """A smooth ramp of brightness across the face."""
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.5)
    ramp = np.linspace(-1, 1, CROP, dtype=np.float32)
    gain = 1 + strength * (np.cos(angle) * ramp[None] + np.sin(angle) * ramp[:, None])
    return np.clip(image * gain[..., None].clip(0.2, 2), 0, 255).astype(np.uint8)


def _partly_hidden(image: Image, rng: np.random.Generator) -> Image:
    """Random erasing (Zhong et al., AAAI 2020): one to two boxes of one colour or of noise."""
    out = image.copy()
    for _ in range(int(rng.integers(1, 3))):
        w, h = (int(side) for side in rng.uniform(0.12, 0.42, 2) * CROP)
        x, y = int(rng.integers(0, CROP - w)), int(rng.integers(0, CROP - h))
        fill = rng.integers(0, 256, 3) if rng.random() < 0.7 else rng.integers(0, 256, (h, w, 3))
        out[y : y + h, x : x + w] = fill
    return out
