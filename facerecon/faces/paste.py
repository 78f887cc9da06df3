"""Puts changed crops back into their photo without a trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from facerecon.faces.align import for_scaled, invert, transform_points, warp
from facerecon.faces.detail import kept_detail
from facerecon.types import Image

# A mask is full inside the first share of the crop's half side and gone at the second. Detail stays whole up to
# the crop's rim; tones, which the eye follows over long distances, begin to fade at the cheeks.
_DETAIL, _TONE = (0.77, 0.97), (0.45, 0.97)
_ROUNDNESS = 3  # of the mask: 2 is a circle, more is squarer; a face fills its crop but for the corners
_TONE_SIDE = 32  # pixels a side of the map of tones
_BAND = 512  # rows of the photo that are blended at a time
# Grey levels by which a crop may be moved to agree in colour with the photo around it.
_LARGEST_SHIFT = 10.0
# Faces meet half way between their centres, within a fraction of the distance that this power makes smaller.
_SHARPNESS = 6


@lru_cache(maxsize=16)
def crop_mask(size: int, full: float = _DETAIL[0], gone: float = _DETAIL[1]) -> np.ndarray:
    """(size, size) float32 in [0, 1]: face and what touches it, with a smooth, wide edge; read-only."""
    axis = np.abs((np.arange(size) + 0.5) / size * 2 - 1)
    mask = _fade((axis[:, None] ** _ROUNDNESS + axis[None, :] ** _ROUNDNESS) ** (1 / _ROUNDNESS), full, gone).astype(np.float32)
    mask.setflags(write=False)
    return mask


def paste_crops(
    image: Image,
    crops: Sequence[Image],
    matrices: Sequence[np.ndarray],
    masks: Sequence[np.ndarray] | None = None,
    scale: float = 1,
) -> Image:
    """The photo with changed crops in the places they were cut from.

    What is pasted is each crop's change, in two bands (Burt and Adelson, "A Multiresolution
    Spline with Application to Image Mosaics", 1983): tones fade over a wide zone, contours
    over a narrow one, so that neither a step of tone nor a second contour shows. The mean
    colour is made to agree with the photo along the edge, and detail finer than the crop can
    hold stays where the crop kept its own: an unchanged crop leaves the photo unchanged.
    Where crops overlap, each pixel belongs to the face whose centre is nearer, in units of
    that face, with a soft border.

    Args:
        image: (H, W, 3) uint8, the photo, already enlarged where ``scale`` says so.
        crops: (S, S, 3) uint8 each.
        matrices: (2, 3) each, pixels of the photo before it was enlarged to pixels of the crop.
        masks: (S, S) each in [0, 1], where the crop counts; ``crop_mask(S)`` by default.
        scale: how many times larger than the photo ``image`` is.

    Returns:
        A new (H, W, 3) uint8.
    """
    out = image.copy()
    enlarged = [for_scaled(matrix, scale) for matrix in matrices]
    masks = [crop_mask(len(crop)) for crop in crops] if masks is None else masks
    for i, (crop, matrix, mask) in enumerate(zip(crops, enlarged, masks)):
        region = _covered(matrix, len(crop), image.shape)
        if region is None:
            continue
        patch = _Patch.of(image, crop, matrix, np.asarray(mask, np.float32))
        others = [_Place(m, len(c)) for j, (m, c) in enumerate(zip(enlarged, crops)) if j != i]
        others = [other for other in others if _meet(region, _covered(other.matrix, other.size, image.shape))]
        x0, top, x1, bottom = region
        for y0 in range(top, bottom, _BAND):  # in bands, so that large faces need little memory
            y1 = min(y0 + _BAND, bottom)
            share = _share(_Place(matrix, len(crop)), others, x0, y0, x1, y1)
            target = out[y0:y1, x0:x1] + share * patch.change(image[y0:y1, x0:x1], x0, y0)
            out[y0:y1, x0:x1] = np.clip(target, 0, 255).round().astype(np.uint8)
    return out


@dataclass(frozen=True)
class _Place:
    """Where a crop of ``size`` pixels lies: ``matrix`` (2, 3), photo to crop."""

    matrix: np.ndarray
    size: int

    def coordinates(self, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
        """(y1 - y0, x1 - x0, 2): positions in the crop, -1 to 1 from side to side."""
        y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        m = self.matrix.astype(np.float32)
        across, down = m[0, 0] * x + m[0, 1] * y + m[0, 2], m[1, 0] * x + m[1, 1] * y + m[1, 2]
        return (np.stack((across, down), -1) + 0.5) / self.size * 2 - 1


@dataclass(frozen=True)
class _Patch:
    """A crop's change in two bands, and what is needed to lay it over the photo."""

    place: _Place
    before: np.ndarray
    tones: np.ndarray
    contours: np.ndarray
    lost: np.ndarray
    mask: np.ndarray

    @classmethod
    def of(cls, image: Image, crop: Image, matrix: np.ndarray, mask: np.ndarray) -> _Patch:
        size = len(crop)
        before = warp(image, matrix, size).astype(np.float32)
        change = crop.astype(np.float32) - before
        change -= _edge_shift(change, mask)
        tones = _tones(change)
        lost = 1 - kept_detail(before, before + change)
        return cls(_Place(matrix, size), before, tones, change - tones, lost, mask)

    def change(self, photo: Image, x0: int, y0: int) -> np.ndarray:
        """What is added to a part of the photo (h, w, 3) whose upper left pixel is ``(x0, y0)``."""
        height, width = photo.shape[:2]
        back = invert(self.place.matrix)
        back[:, 2] -= (x0, y0)
        shape = (width, height)
        weight = warp(self.mask, back, shape, border=cv2.BORDER_CONSTANT)[..., None].clip(0, 1)
        wide = self.mask * crop_mask(self.place.size, *_TONE)
        wide = warp(wide, back, shape, border=cv2.BORDER_CONSTANT)[..., None].clip(0, 1)
        change = wide * warp(self.tones, back, shape) + weight * warp(self.contours, back, shape)
        if self.lost.max() > 0.004:
            lost = weight * warp(self.lost, back, shape)[..., None].clip(0, 1)
            change -= lost * (photo - warp(self.before, back, shape))
        return change


def _fade(radius: np.ndarray, full: float, gone: float) -> np.ndarray:
    t = np.clip((gone - radius) / (gone - full), 0, 1)
    return t * t * (3 - 2 * t)


def _share(place: _Place, others: list[_Place], x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """(h, w, 1): how much of each pixel belongs to ``place`` where others lie over it."""
    share = np.ones((y1 - y0, x1 - x0), np.float32)
    if others:
        mine = _distance(place.coordinates(x0, y0, x1, y1))
    for other in others:
        where = other.coordinates(x0, y0, x1, y1)
        theirs = _distance(where)
        there = _fade((np.abs(where) ** _ROUNDNESS).sum(-1) ** (1 / _ROUNDNESS), *_DETAIL)
        share *= 1 - there * mine / (mine + theirs + 1e-12)
    return share[..., None]


def _distance(coordinates: np.ndarray) -> np.ndarray:
    """Distance from the face's centre, to the power that makes borders between faces narrow."""
    return ((coordinates - np.array([0, 0.05], np.float32)) ** 2).sum(-1) ** (_SHARPNESS / 2)


def _meet(a: tuple[int, int, int, int], b: tuple[int, int, int, int] | None) -> bool:
    return b is not None and a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _covered(matrix: np.ndarray, size: int, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """The box of the photo's pixels under the crop, or None where they do not meet."""
    corners = np.array([[-0.5, -0.5], [size - 0.5, -0.5], [-0.5, size - 0.5], [size - 0.5, size - 0.5]])
    corners = transform_points(corners, invert(matrix))
    x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, (shape[1], shape[0]))
    return (int(x0), int(y0), int(x1), int(y1)) if x1 > x0 and y1 > y0 else None


def _tones(change: np.ndarray) -> np.ndarray:
    """The smooth part of a change (S, S, 3)."""
    small = cv2.resize(change, (_TONE_SIDE, _TONE_SIDE), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), _TONE_SIDE / 12, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, change.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def _edge_shift(change: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean change of colour (3,) where the mask is half gone, within limits."""
    edge = mask * (1 - mask)
    total = float(edge.sum())
    if total < 1e-6:
        return np.zeros(3, np.float32)
    mean = np.tensordot(edge, change, axes=2) / total
    return np.clip(mean, -_LARGEST_SHIFT, _LARGEST_SHIFT).astype(np.float32)
