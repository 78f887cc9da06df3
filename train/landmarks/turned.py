"""How far a head is turned aside, read from its 68 landmarks."""

from __future__ import annotations

import numpy as np

HALF_PROFILE, PROFILE = 0.55, 0.22
"""Values of :func:`frontality` under which a head is turned by half, and wholly, to the side."""


def frontality(landmarks: np.ndarray) -> np.ndarray:
    """How far heads are turned from the camera: the nose tip's distances from the two sides of the jaw, smaller by larger.

    Args:
        landmarks: (..., 68, 2) in iBUG order.

    Returns:
        (...,) in [0, 1]: near 1 from the front, over ``HALF_PROFILE`` nearly so, under ``PROFILE`` from the side.
    """
    nose = landmarks[..., 30, :]
    left, right = (np.linalg.norm(nose - landmarks[..., jaw, :].mean(-2), axis=-1) for jaw in ([1, 2, 3], [13, 14, 15]))
    return np.minimum(left, right) / np.maximum(np.maximum(left, right), 1e-6)
