"""Lays a clean photo over its degraded copy, which lies a fraction of a pixel off where sizes were rounded on the way.

Shrunk by 1.5, a photo of 256 pixels would have 170.67; enlarged again, what was shrunk to 171 is stretched by a little. No
restoration can or should know of it, and in good photos it is the larger part of the error.
"""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.types import Image

SMOOTHING, ROUNDS = 2.0, 3
FARTHEST = 3.0  # pixels at the photo's border; what lies further off is no rounding


def register(clean: Image, degraded: Image) -> Image:
    """The clean photo, stretched and shifted along each axis so that it lies on the degraded one.

    Least squares over slopes of brightness (Lucas and Kanade, IJCAI 1981), with the change in brightness and contrast
    left free.

    Args:
        clean: (H, W, 3) uint8.
        degraded: of the same size.

    Returns:
        (H, W, 3) uint8; the clean photo itself where no stretch of up to ``FARTHEST`` pixels brings it closer.
    """
    height, width = clean.shape[:2]
    goal, matrix = _smooth(degraded), np.eye(2, 3)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    for _ in range(ROUNDS):
        mine = _smooth(_warp(clean, matrix))
        slope_y, slope_x = np.gradient(mine)
        parts = [slope_x, slope_x * x, slope_y, slope_y * y, np.ones_like(mine), mine]
        system = np.stack([part.ravel() for part in parts], 1)
        dx, ax, dy, ay, _, _ = np.linalg.lstsq(system, (goal - mine).ravel(), rcond=None)[0]
        # What adds slope * d to a picture shows it d pixels further on: the map runs from the new picture to the old one.
        matrix = matrix + [[2 * ax / width, 0, dx - ax], [0, 2 * ay / height, dy - ay]]
    moved = np.abs([matrix[:, 2], matrix @ (width, height, 1) - (width, height)]).max()
    if not moved < FARTHEST:
        return clean
    registered = _warp(clean, matrix)
    return registered if _distance(registered, degraded) < _distance(clean, degraded) else clean


def _smooth(image: Image) -> np.ndarray:
    return cv2.GaussianBlur(image.astype(np.float32).mean(2), (0, 0), SMOOTHING)


def _warp(image: Image, matrix: np.ndarray) -> Image:
    size = image.shape[1::-1]
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _distance(a: Image, b: Image) -> float:
    return float(np.mean((_smooth(a) - _smooth(b)) ** 2))
