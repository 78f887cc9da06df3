"""Keeps the colours of a photo through its restoration: casts do not creep in, grey photos stay grey."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.types import Image

TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
FROM_YCC = np.linalg.inv(TO_YCC).astype(np.float32)
_MAP_SIDE = 32  # pixels a side of the maps that colours are compared on: noise and blocks average out
# Grey levels by which chroma may stray from a function of luma before a photo counts as coloured.
_TONED = 2.6
_SMOOTH = 0.14  # of the crop's side: colour that varies more slowly is the photo's own
# From this fidelity on the photo's own slow colour is kept wholly; below, in proportion.
_WHOLLY = 0.5


def toning(image: Image) -> np.ndarray | None:
    """The toning of a monochrome photo, or None where the photo has colours of its own.

    Black and white film, sepia prints and duplicates in blue have in common that chroma
    follows from luma; a parabola covers them.

    Args:
        image: (H, W, 3) uint8.

    Returns:
        (3, 2) float32, coefficients of 1, y and y squared (y luma / 255) for Cb and Cr; all zero for grey.
    """
    ycc = cv2.resize(image, (_MAP_SIDE, _MAP_SIDE), interpolation=cv2.INTER_AREA).reshape(-1, 3) @ TO_YCC.T
    powers = _powers(ycc[:, 0])
    coefficients = np.linalg.lstsq(powers, ycc[:, 1:], rcond=None)[0]
    stray = np.sqrt(np.mean((powers @ coefficients - ycc[:, 1:]) ** 2))
    return coefficients.astype(np.float32) if stray < _TONED else None


def tone(image: Image, coefficients: np.ndarray) -> Image:
    """An image (H, W, 3) uint8 in the toning that :func:`toning` found."""
    luma = image @ TO_YCC[0]
    chroma = _powers(luma.reshape(-1)) @ coefficients
    return from_luma_chroma(np.concatenate((luma[..., None], chroma.reshape(*luma.shape, 2)), -1))


def keep_colour(before: Image, after: Image, fidelity: float) -> Image:
    """The restored crop with the slowly varying colour of the photo; luma is left alone.

    Finer colour may be mended: the colour blocks of strong compression are smaller than what
    is compared here. At fidelity 0 the restored colour stays as it is.

    Args:
        before, after: (S, S, 3) uint8.
        fidelity: in [0, 1].
    """
    strength = min(fidelity / _WHOLLY, 1.0)
    if strength == 0:
        return after
    drift = (_map(after) - _map(before)) @ TO_YCC.T * (0, 1, 1)
    drift = cv2.GaussianBlur(drift, (0, 0), _SMOOTH * _MAP_SIDE, borderType=cv2.BORDER_REFLECT)
    drift = cv2.resize((strength * drift @ FROM_YCC.T).astype(np.float32), after.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(after - drift, 0, 255).round().astype(np.uint8)


def luma_chroma(image: Image) -> np.ndarray:
    """(H, W, 3) uint8 to Y in [0, 255], Cb and Cr about zero, float32 (ITU-R BT.601, full range)."""
    return (image @ TO_YCC.T).astype(np.float32)


def from_luma_chroma(ycc: np.ndarray) -> Image:
    """The inverse of :func:`luma_chroma`."""
    return np.clip(ycc @ FROM_YCC.T, 0, 255).round().astype(np.uint8)


def _powers(luma: np.ndarray) -> np.ndarray:
    y = luma / 255
    return np.stack((np.ones_like(y), y, y * y), -1).astype(np.float32)


def _map(image: Image) -> np.ndarray:
    return cv2.resize(image, (_MAP_SIDE, _MAP_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
