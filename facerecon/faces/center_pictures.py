"""What the detector's network is shown: letterboxes, photos brought to size, candidates upright in the middle of a crop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from facerecon.faces.align import for_scaled, warp
from facerecon.faces.center_network import cell_centers, decode, overlaps
from facerecon.types import Image

_GREY = 128  # what lies beside a picture in its letterbox
_WHOLE = 32  # a letterbox's sides are multiples of it: the fewer sizes, the more photos go together, the more grey is looked at as well
_HERE = 0.4  # share of the union with the middle of a crop from which a cell speaks of the candidate there
_NOTHING = -6.0  # logit where no cell does


class Source(NamedTuple):
    """What candidates are cut out of: a view, and the picture of it that the first look saw, ``scale`` times as large."""

    view: Image
    picture: Image
    scale: float

    def cut(self, matrix: np.ndarray, side: int) -> Image:
        """The crop (side, side, 3) by a (2, 3) matrix, pixels of the view to its own; out of the picture, which is much less work, where that is fine enough."""
        if math.sqrt(abs(np.linalg.det(matrix[:, :2]))) > self.scale:
            return warp(self.view, matrix, side, cv2.BORDER_CONSTANT)
        return warp(self.picture, for_scaled(matrix, self.scale), side, cv2.BORDER_CONSTANT)


def letterbox(pictures: Sequence[Image], height: int, width: int) -> np.ndarray:
    """(B, height, width, 3) uint8: pictures at the upper left, grey beside them."""
    boxes = np.full((len(pictures), height, width, 3), _GREY, np.uint8)
    for box, picture in zip(boxes, pictures):
        box[: picture.shape[0], : picture.shape[1]] = picture
    return boxes


@lru_cache(maxsize=32)
def grid(height: int, width: int) -> tuple[Tensor, Tensor]:
    """:func:`cell_centers`, remembered."""
    return cell_centers(height, width)


def canvas(shape: tuple[int, ...]) -> tuple[int, int]:
    """The letterbox of a picture: the next multiples of ``_WHOLE``."""
    return -(-shape[0] // _WHOLE) * _WHOLE, -(-shape[1] // _WHOLE) * _WHOLE


def resized(view: Image, scale: float) -> Image:
    """A picture, ``scale`` times as large."""
    if scale == 1.0:
        return view
    size = max(1, round(view.shape[1] * scale)), max(1, round(view.shape[0] * scale))
    # Nearly as good as the mean of the pixels down to one half, and many times faster.
    shrinking = cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA
    return cv2.resize(view, size, interpolation=shrinking if scale < 1 else cv2.INTER_CUBIC)


def upright(box: np.ndarray, points: np.ndarray, side: int, face: float) -> np.ndarray:
    """The (2, 3) matrix from a view to the crop in whose middle a candidate stands upright, ``face`` pixels large."""
    down = points[3:].mean(0) - points[:2].mean(0)
    length = float(np.hypot(*down))
    s, c = (-down[0] / length, down[1] / length) if length > 1e-3 else (0.0, 1.0)
    # A turned face has a larger box round it.
    size = float(np.sqrt(np.prod(np.maximum(box[2:] - box[:2], 1.0)))) / (1 + 0.3 * abs(2 * s * c))
    linear = face / size * np.array([[c, s], [-s, c]])
    return np.concatenate((linear, ((side - 1) / 2 - linear @ (box[:2] + box[2:]) / 2)[:, None]), axis=1)


def of_middle(cells: Tensor, side: int, face: float) -> tuple[Tensor, Tensor]:
    """What cells (B, N, 15) of crops say of the face in their middle: logit (B,) and points (B, 5, 2)."""
    boxes, points = decode(cells, *grid(side, side))
    low, high = (side - 1 - face) / 2, (side - 1 + face) / 2
    here = overlaps(boxes.flatten(0, 1), torch.tensor([[low, low, high, high]])).view(cells.shape[:2]) > _HERE
    logits = torch.where(here, cells[..., 0], _NOTHING)
    best = logits.amax(1)
    weight = torch.softmax(2 * logits, dim=1)
    return best, torch.einsum("bn,bnpc->bpc", weight, points)
