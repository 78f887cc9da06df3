"""How far landmarks lie from where they belong."""

from __future__ import annotations

import numpy as np


def landmark_nme(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Normalised mean error of each face.

    The mean distance divided by the square root of the area of the box round the true
    landmarks, as Bulat and Tzimiropoulos (2017) and 3DDFA take it; the distance between the
    eyes, the older norm, vanishes in profiles.

    Args:
        predicted, truth: (..., N, 2) pixels.

    Returns:
        (...) as a share: 0.03 is 3 %.

    Raises:
        ValueError: the shapes differ.
    """
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if predicted.shape != truth.shape:
        raise ValueError(f"The landmarks differ in shape: {predicted.shape} and {truth.shape}.")
    sides = truth.max(-2) - truth.min(-2)
    distances = np.linalg.norm(predicted - truth, axis=-1)
    return distances.mean(-1) / np.sqrt(sides.prod(-1))


INNER_51 = slice(17, 68)


def interocular_nme(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean error of the inner 51 landmarks over the distance between the outer eye corners.

    The norm of the 300-W challenge (Sagonas et al. 2013) without the contour; it grows without limit in profiles.

    Args:
        predicted, truth: (..., 68, 2) pixels, iBUG order.

    Returns:
        (...) as a share.
    """
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    between = np.linalg.norm(truth[..., 36, :] - truth[..., 45, :], axis=-1)
    return np.linalg.norm((predicted - truth)[..., INNER_51, :], axis=-1).mean(-1) / between
