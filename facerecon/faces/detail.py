"""Detail finer than a crop that was changed: how much of it still belongs there."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.types import Image

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_FLOOR = 0.3  # squared grey levels: bands weaker than this say nothing
# Grey levels (rms) by which a place may change before its old detail would show as a second contour.
_MOVED = 14.0


def kept_detail(before: Image, after: Image) -> np.ndarray:
    """Where detail that a crop is too coarse to hold survives the change of that crop.

    What was done to the crop's finest band is taken to be right for the bands above it: where
    noise was removed there, finer noise goes as well, and where a pore was kept, finer pores
    stay (the local regression gain of the band after on the band before). Places that changed
    a good deal, whatever the band, lose theirs.

    Args:
        before, after: (S, S, 3) uint8 or float32 in grey levels.

    Returns:
        (S, S) float32 in [0, 1]: the share to keep; 1 wherever nothing changed.
    """
    a, b = before @ _LUMA, after @ _LUMA
    window = max(before.shape[0] / 64, 1.5)
    fine_a, fine_b = _finest(a), _finest(b)
    agreement, energy = _smooth(fine_a * fine_b, window), _smooth(fine_a * fine_a, window)
    gain = np.clip((agreement + _FLOOR) / (energy + _FLOOR), 0, 1)
    moved = _smooth((b - a) ** 2, window)
    return gain * np.exp(-moved / _MOVED**2)


def _finest(luma: np.ndarray) -> np.ndarray:
    return luma - cv2.GaussianBlur(luma, (0, 0), 1.0)


def _smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(values, (0, 0), sigma)
