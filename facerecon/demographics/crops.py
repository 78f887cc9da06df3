"""The crop that the demographics estimator looks at, the same in training and in use."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.faces.align import similarity_from_points, warp
from facerecon.types import Face, Image

TEMPLATE = "reconstruction"
# That template leaves room around the head; the crop is its middle, from the hairline to the chin.
TIGHTER = 1.4


def crop_matrix(points: np.ndarray, size: int, margin: int = 0) -> np.ndarray:
    """The (2, 3) matrix from photo pixels to the pixels of a crop.

    Args:
        points: (5, 2) in pixels of the photo, in the order of ``Face.points``.
        size: side of the crop, pixels.
        margin: pixels to keep around the crop on every side.
    """
    whole = round(TIGHTER * size)
    matrix = similarity_from_points(points, whole, TEMPLATE)
    matrix[:, 2] += margin - (whole - size) / 2
    return matrix


def cut(image: Image, face: Face | None, size: int) -> Image:
    """The crop (size, size, 3) of a face; without a face, that of a photo which shows little else.

    Args:
        image: (H, W, 3) uint8.
        face: where it is, or None: then the largest square in the middle of the photo.
        size: side of the crop, pixels.
    """
    if face is not None:
        return warp(image, crop_matrix(face.points, size), size, cv2.BORDER_REPLICATE)
    height, width = image.shape[:2]
    scale = size / min(height, width)
    shift = (np.array([size - 1, size - 1]) - scale * np.array([width - 1, height - 1])) / 2
    return warp(image, np.array([[scale, 0, shift[0]], [0, scale, shift[1]]]), size, cv2.BORDER_REPLICATE)
