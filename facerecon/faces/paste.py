"""Puts a changed crop back into its photo without a seam."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from facerecon.faces.align import invert, transform_points, warp
from facerecon.types import Image

# The mask is full inside this share of the crop's half side and gone at the other.
_FULL, _GONE = 0.80, 0.98
# Grey levels (rms) of change beyond which detail finer than the crop counts as damage.
_DETAIL_TOLERANCE = 3.0
_BAND = 512  # rows of the photo that are blended at a time
# Grey levels by which a crop may be moved to agree in colour with the photo around it.
_LARGEST_SHIFT = 10.0


@lru_cache(maxsize=8)
def crop_mask(size: int) -> np.ndarray:
    """(size, size) float32 in [0, 1]: a rounded square with a smooth, wide edge; read-only."""
    axis = np.abs((np.arange(size) + 0.5) / size * 2 - 1)
    radius = (axis[:, None] ** 4 + axis[None, :] ** 4) ** 0.25
    t = np.clip((_GONE - radius) / (_GONE - _FULL), 0, 1)
    mask = (t * t * (3 - 2 * t)).astype(np.float32)
    mask.setflags(write=False)
    return mask


def paste_crop(image: Image, crop: Image, matrix: np.ndarray, mask: np.ndarray | None = None, scale: float = 1) -> Image:
    """The photo with a changed crop in the place it was cut from.

    The mask fades to nothing inside the crop, the crop's mean colour is made to agree with
    the photo along that edge, and detail finer than the crop can hold stays as far as the
    crop was left as it was: an unchanged crop leaves the photo unchanged.

    Args:
        image: (H, W, 3) uint8, the photo, already enlarged where ``scale`` says so.
        crop: (S, S, 3) uint8.
        matrix: (2, 3) pixels of the photo before it was enlarged to pixels of the crop.
        mask: (S, S) in [0, 1] where the crop counts; ``crop_mask(S)`` by default.
        scale: how many times larger than the photo ``image`` is.

    Returns:
        A new (H, W, 3) uint8.
    """
    size = crop.shape[0]
    mask = crop_mask(size) if mask is None else np.asarray(mask, np.float32)
    matrix = _for_enlarged(matrix, scale)
    region = _covered(matrix, size, image.shape)
    out = image.copy()
    if region is None:
        return out
    x0, top, x1, bottom = region
    before = warp(image, matrix, size).astype(np.float32)
    change = crop.astype(np.float32) - before
    change -= _edge_shift(change, mask)
    after, kept = before + change, _kept_detail(change, mask)
    back = invert(matrix)
    back[:, 2] -= (x0, top)
    for y0 in range(top, bottom, _BAND):  # in bands, so that large faces need little memory
        y1 = min(y0 + _BAND, bottom)
        shape = (x1 - x0, y1 - y0)
        weight = warp(mask, back, shape, border=cv2.BORDER_CONSTANT)[..., None].clip(0, 1)
        target = warp(after, back, shape)
        patch = image[y0:y1, x0:x1].astype(np.float32)
        if kept > 0:
            target += kept * (patch - warp(before, back, shape))
        out[y0:y1, x0:x1] = np.clip(patch + weight * (target - patch), 0, 255).round().astype(np.uint8)
        back[1, 2] -= _BAND
    return out


def _for_enlarged(matrix: np.ndarray, scale: float) -> np.ndarray:
    """The same map, from pixels of the enlarged photo; pixel centres lie at whole numbers in both."""
    matrix = np.asarray(matrix, np.float64)
    linear = matrix[:, :2] / scale
    shift = matrix[:, 2] + matrix[:, :2] @ np.full(2, 0.5 / scale - 0.5)
    return np.concatenate((linear, shift[:, None]), axis=1)


def _covered(matrix: np.ndarray, size: int, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """The box of the photo's pixels under the crop, or None where they do not meet."""
    corners = np.array([[-0.5, -0.5], [size - 0.5, -0.5], [-0.5, size - 0.5], [size - 0.5, size - 0.5]])
    corners = transform_points(corners, invert(matrix))
    x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, (shape[1], shape[0]))
    return (int(x0), int(y0), int(x1), int(y1)) if x1 > x0 and y1 > y0 else None


def _edge_shift(change: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean change of colour (3,) where the mask is half gone, within limits."""
    edge = mask * (1 - mask)
    total = float(edge.sum())
    if total < 1e-6:
        return np.zeros(3, np.float32)
    mean = np.tensordot(edge, change, axes=2) / total
    return np.clip(mean, -_LARGEST_SHIFT, _LARGEST_SHIFT).astype(np.float32)


def _kept_detail(change: np.ndarray, mask: np.ndarray) -> float:
    inside = float(mask.sum())
    rms = np.sqrt(float((mask[..., None] * change**2).sum()) / max(3 * inside, 1e-6))
    return float(np.exp(-((rms / _DETAIL_TOLERANCE) ** 2)))
