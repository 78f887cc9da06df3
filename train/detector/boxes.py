"""The box and the five points of a face, from 68 landmarks: one definition for every source."""

from __future__ import annotations

import numpy as np

from facerecon.faces.align import points_from_landmarks

FOREHEAD = 0.3
"""How far the brow is lifted, along the head's own up, in distances from brow to chin."""

_BROWS, _CHIN = slice(17, 27), 8


def face_box(landmarks: np.ndarray) -> np.ndarray:
    """The smallest upright rectangle round the landmarks and the forehead.

    The forehead is the ten points of the brows, lifted by ``FOREHEAD`` of the distance from brow to
    chin along the line from chin to brow. So the box turns into a larger one as the head tilts, and
    agrees with MTCNN's on upright faces.

    Args:
        landmarks: (68, 2) in iBUG order.

    Returns:
        (4,) float32, x0, y0, x1, y1 in the same pixels.
    """
    brows = landmarks[_BROWS]
    lifted = brows + FOREHEAD * (brows.mean(0) - landmarks[_CHIN])
    every = np.concatenate((landmarks, lifted))
    return np.concatenate((every.min(0), every.max(0))).astype(np.float32)


def face_outline(landmarks: np.ndarray) -> np.ndarray:
    """The polygon (27, 2) of jaw and lifted brows, the face's outline."""
    brows = landmarks[_BROWS]
    lifted = brows + FOREHEAD * (brows.mean(0) - landmarks[_CHIN])
    return np.concatenate((landmarks[:17], lifted[::-1])).astype(np.float32)


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """(5, 2) float32: eyes, nose tip, mouth corners, in the order of ``Face.points``."""
    return points_from_landmarks(landmarks).astype(np.float32)
