"""Follows a face from one frame to the next by optical flow."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.faces.align import fit_similarity, transform_points
from facerecon.types import Face, Image

_LONGEST = 640  # pixels of the grey picture that is followed
_GRID = 10  # points along each side of the face
_MARGIN = 0.1  # of the box that stays without points, where background looks in
_WINDOW = (15, 15)
_LEVELS = 3
_MOST_ERROR = 0.03  # of the face's size: median distance of points followed there and back
_FEWEST = 12
_LARGEST_STEP = 1.25  # growth between two frames that no face shows


def grey_picture(image: Image) -> tuple[np.ndarray, float]:
    """The picture that flow is computed on, (h, w) uint8, and its size over that of the frame."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, _LONGEST / max(grey.shape))
    if scale == 1.0:
        return grey, scale
    return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), scale


def follow_face(before: np.ndarray, after: np.ndarray, scale: float, face: Face) -> Face | None:
    """Where a face went.

    Median flow (Kalal, Mikolajczyk, Matas, "Forward-Backward Error", ICPR 2010): points are
    followed there and back, the better half votes; a similarity by least squares moves box and points.

    Args:
        before, after: (h, w) uint8 of :func:`grey_picture`.
        scale: their size over that of the frame.
        face: in pixels of the frame.

    Returns:
        The face in the later frame, or None where it was lost.
    """
    start = _grid(face, scale, before.shape)
    if len(start) < _FEWEST:
        return None
    options = {"winSize": _WINDOW, "maxLevel": _LEVELS}
    end, found, _ = cv2.calcOpticalFlowPyrLK(before, after, start, None, **options)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, end, None, **options)
    whole = (found & returned).ravel().astype(bool)
    error = np.linalg.norm(back - start, axis=1)
    if whole.sum() < _FEWEST or np.median(error[whole]) > max(1.0, _MOST_ERROR * face.size * scale):
        return None
    kept = whole & (error <= np.median(error[whole]))
    matrix = _similarity(start[kept].astype(np.float64) / scale, end[kept].astype(np.float64) / scale)
    growth = float(np.hypot(*matrix[:, 0]))
    if not 1 / _LARGEST_STEP < growth < _LARGEST_STEP:
        return None
    return move_face(face, matrix, growth)


def move_face(face: Face, matrix: np.ndarray, growth: float) -> Face:
    """A face after a similarity (2, 3); the box stays upright and grows."""
    centre, half = (face.box[:2] + face.box[2:]) / 2, (face.box[2:] - face.box[:2]) / 2 * growth
    centre = transform_points(centre.astype(np.float64), matrix)
    box = np.concatenate((centre - half, centre + half)).astype(np.float32)
    return Face(box, transform_points(face.points.astype(np.float64), matrix).astype(np.float32), face.score)


def _grid(face: Face, scale: float, shape: tuple[int, ...]) -> np.ndarray:
    """Points (N, 2) float32 on the face that lie in the grey picture."""
    x0, y0, x1, y1 = face.box * scale
    share = np.linspace(_MARGIN, 1 - _MARGIN, _GRID)
    x, y = np.meshgrid(x0 + share * (x1 - x0), y0 + share * (y1 - y0))
    points = np.stack((x.ravel(), y.ravel()), axis=1).astype(np.float32)
    inside = (points >= 0).all(1) & (points[:, 0] < shape[1]) & (points[:, 1] < shape[0])
    return points[inside]


def _similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation, growth and shift (2, 3) that best take points (N, 2) onto others; twice, outliers left out."""
    kept = np.ones(len(source), bool)
    for _ in range(2):
        matrix = fit_similarity(source[kept], target[kept])
        miss = np.linalg.norm(transform_points(source, matrix) - target, axis=1)
        kept = miss <= max(2.5 * float(np.median(miss)), 1e-6)
    return fit_similarity(source[kept], target[kept])
