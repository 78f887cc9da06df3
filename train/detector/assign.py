"""Which cells of the network answer for which face."""

from __future__ import annotations

import numpy as np

from facerecon.faces.center_network import STRIDES
from train.detector.scenes import Scene

RANGES = {8: (0.0, 36.0), 16: (27.0, 80.0), 32: (60.0, 170.0), 64: (128.0, np.inf)}
"""Sizes of faces, roots of box areas in pixels, that the cells of each stride answer for."""
_NEAREST, _FARTHEST, _SHARE = 0.75, 1.5, 0.22  # reach round a face's centre: strides, strides, sides of the face


def assign(scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cells round each face's centre, and those that shall say nothing.

    Args:
        scene: its sides are multiples of 64.

    Returns:
        cells (P,) int64 in the network's order; faces (P,) the index in ``scene.boxes`` of each;
        silent (N,) bool, cells within ignored faces.
    """
    height, width = scene.image.shape[:2]
    shapes = [(stride, height // stride, width // stride) for stride in STRIDES]
    total = sum(rows * columns for _, rows, columns in shapes)
    owner, nearest, silent = np.full(total, -1), np.full(total, np.inf), np.zeros(total, bool)
    first = 0
    for stride, rows, columns in shapes:
        grid_owner = owner[first : first + rows * columns].reshape(rows, columns)
        grid_near = nearest[first : first + rows * columns].reshape(rows, columns)
        grid_silent = silent[first : first + rows * columns].reshape(rows, columns)
        for face, (box, ignored) in enumerate(zip(scene.boxes, scene.ignored)):
            if ignored:
                x, y = _cells(box[0], box[2], stride, columns), _cells(box[1], box[3], stride, rows)
                grid_silent[y, x] = True
                continue
            size = float(np.sqrt((box[2] - box[0]) * (box[3] - box[1])))
            if not RANGES[stride][0] <= size <= RANGES[stride][1]:
                continue
            reach = np.clip(_SHARE * size, _NEAREST * stride, _FARTHEST * stride)
            middle = (box[:2] + box[2:]) / 2
            x = _cells(middle[0] - reach, middle[0] + reach, stride, columns)
            y = _cells(middle[1] - reach, middle[1] + reach, stride, rows)
            across = (np.arange(x.start, x.stop) + 0.5) * stride - 0.5 - middle[0]
            down = (np.arange(y.start, y.stop) + 0.5) * stride - 0.5 - middle[1]
            distance = (across**2 + down[:, None] ** 2) / size**2
            closer = distance < grid_near[y, x]
            grid_near[y, x] = np.where(closer, distance, grid_near[y, x])
            grid_owner[y, x] = np.where(closer, face, grid_owner[y, x])
        first += rows * columns
    cells = np.flatnonzero(owner >= 0)
    silent[cells] = False
    return cells, owner[cells], silent


def _cells(low: float, high: float, stride: int, count: int) -> slice:
    """The cells whose centres lie between two places, pixels."""
    first = int(np.ceil((low + 0.5) / stride - 0.5))
    last = int(np.floor((high + 0.5) / stride - 0.5))
    return slice(min(max(first, 0), count), min(max(last + 1, 0), count))
