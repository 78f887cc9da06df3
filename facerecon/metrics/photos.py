"""How close one photo is to another."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.types import Image

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Box = tuple[float, float, float, float]


def psnr(image: Image, reference: Image, box: Box | None = None) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels.

    Args:
        image, reference: (H, W, 3) or (H, W) uint8 of one shape.
        box: ``x0, y0, x1, y1``, the last column and row excluded; the whole photo by default.

    Returns:
        dB; infinity for equal photos.

    Raises:
        ValueError: the shapes differ or the box holds no pixel.
    """
    a, b = _inside(image, reference, box)
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(image: Image, reference: Image, box: Box | None = None) -> float:
    """Structural similarity, at most 1.

    Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment" (2004), with its own
    settings: Gaussian windows of 11 pixels and sigma 1.5, K1 0.01, K2 0.03, luma of
    BT.601, the mean over those windows that lie wholly inside.

    Args and errors are those of :func:`psnr`; a box needs at least 11 pixels a side.
    """
    a, b = (_luma(part) for part in _inside(image, reference, box))
    if min(a.shape) < _WINDOW:
        raise ValueError(f"SSIM needs at least {_WINDOW} x {_WINDOW} pixels, not {a.shape[1]} x {a.shape[0]}.")
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a, variance_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_a + variance_b + _C2)
    edge = _WINDOW // 2
    return float((luminance * structure)[edge:-edge, edge:-edge].mean())


def _blur(values: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA)


def _luma(image: np.ndarray) -> np.ndarray:
    values = image.astype(np.float64)
    return values if values.ndim == 2 else values @ np.array([0.299, 0.587, 0.114])


def _inside(image: Image, reference: Image, box: Box | None) -> tuple[np.ndarray, np.ndarray]:
    if image.shape != reference.shape:
        raise ValueError(f"The photos differ in shape: {image.shape} and {reference.shape}.")
    if box is None:
        return image, reference
    x0, y0, x1, y1 = (max(0, round(float(value))) for value in box)
    a, b = image[y0:y1, x0:x1], reference[y0:y1, x0:x1]
    if a.size == 0:
        raise ValueError(f"The box {tuple(box)} holds no pixel of a photo of shape {image.shape}.")
    return a, b
