"""Boxes as arrays, free of torch; ``center_network`` has the same on the networks' device."""

from __future__ import annotations

import numpy as np


def overlaps(first: np.ndarray, second: np.ndarray, of_smaller: bool = False) -> np.ndarray:
    """Shares of the union, or of the smaller box, that boxes have in common.

    Args:
        first: (N, 4) x0, y0, x1, y1.
        second: (M, 4).
        of_smaller: what the share is of.

    Returns:
        (N, M) in [0, 1]; 0 where both are empty.
    """
    first, second = np.asarray(first), np.asarray(second)
    low, high = np.maximum(first[:, None, :2], second[:, :2]), np.minimum(first[:, None, 2:], second[:, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    one, other = (np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1) for boxes in (first, second))
    whole = np.minimum(one[:, None], other) if of_smaller else one[:, None] + other - shared
    return shared / np.maximum(whole, 1e-9)
