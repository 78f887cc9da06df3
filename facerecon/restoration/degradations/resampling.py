"""Photos made small and large again, with each program's own filter."""

from __future__ import annotations

import cv2

from facerecon.types import Image

KERNELS = {
    "nearest": cv2.INTER_NEAREST,
    "area": cv2.INTER_AREA,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}
RESIZE_KERNELS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)  # what the levels shrink with


def shrink(image: Image, factor: float, kernel: int = cv2.INTER_AREA) -> Image:
    """A smaller image, by ``factor`` >= 1, at least 8 pixels a side."""
    h, w = image.shape[:2]
    return cv2.resize(image, (max(round(w / factor), 8), max(round(h / factor), 8)), interpolation=kernel)


def enlarge(image: Image, height: int, width: int, kernel: int = cv2.INTER_CUBIC) -> Image:
    """Back to ``(height, width)``."""
    return cv2.resize(image, (width, height), interpolation=kernel)


def resample(image: Image, factor: float, down: str = "area", up: str = "bicubic") -> Image:
    """Smaller by ``factor`` and back; ``down`` and ``up`` are names of :data:`KERNELS`."""
    return enlarge(shrink(image, factor, KERNELS[down]), *image.shape[:2], KERNELS[up])
