"""How natural a picture looks, with nothing to compare it to: NIQE."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from facerecon.types import Image

FEATURES = 36  # 18 at full and 18 at half size
_SIGMA = 7 / 6  # of the local mean, pixels, as the paper has it
_SHIFTS = ((0, 1), (1, 0), (1, 1), (-1, 1))
_LUMA = np.array([0.299, 0.587, 0.114])
# Patches at least this contrasty, relative to the picture's most contrasty one, make a natural model.
_CONTRASTY = 0.75


@dataclass(frozen=True)
class NaturalSceneModel:
    """What the statistics of undistorted pictures are like: a Gaussian over the features of their patches.

    Mittal, Soundararajan and Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE
    Signal Processing Letters 2013.

    Attributes:
        mean: (36,).
        covariance: (36, 36).
        patch: side of a patch, pixels at full size, even; the model's own.
    """

    mean: np.ndarray
    covariance: np.ndarray
    patch: int = 96

    @classmethod
    def fit(cls, images: list[Image], patch: int = 96) -> NaturalSceneModel:
        """The model of sharp, clean pictures, from their contrasty patches."""
        rows = []
        for image in images:
            features, contrast = patch_features(image, patch)
            rows.append(features[contrast >= _CONTRASTY * contrast.max()])
        rows = np.concatenate(rows)
        return cls(rows.mean(0), np.cov(rows, rowvar=False), patch)

    def distance(self, image: Image) -> float:
        """NIQE of a picture: 0 is natural, blur, noise, blocks and over-sharpening raise it.

        Args:
            image: (H, W, 3) uint8 RGB.

        Raises:
            ValueError: the picture holds fewer than two whole patches; one alone has no covariance.
        """
        features, _ = patch_features(image, self.patch)
        if len(features) < 2:
            raise ValueError(f"NIQE needs at least two patches of {self.patch} by {self.patch} pixels.")
        difference = features.mean(0) - self.mean
        pooled = (np.cov(features, rowvar=False) + self.covariance) / 2
        return float(np.sqrt(difference @ np.linalg.pinv(pooled) @ difference))


def patch_features(image: Image, patch: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """NIQE's features of each whole patch of a picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        patch: side, pixels, even.

    Returns:
        features (N, 36) and the patches' mean local contrast (N,), float64, in rows of the picture.
    """
    grey = np.round(image.astype(np.float64) @ _LUMA)
    rows, columns = grey.shape[0] // patch, grey.shape[1] // patch
    grey = grey[: rows * patch, : columns * patch]
    if grey.size == 0:
        return np.zeros((0, FEATURES)), np.zeros(0)
    halves, contrast = [], np.zeros(0)
    for scale in (1, 2):
        side = patch // scale
        if scale == 2:
            grey = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA)
        normalised, deviation = _normalised(grey)
        blocks = _blocks(normalised, side)
        if scale == 1:
            contrast = _blocks(deviation, side).mean((1, 2))
        halves.append(_features(blocks))
    return np.concatenate(halves, 1), contrast


def _normalised(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean-subtracted, contrast-normalised luma, and the local standard deviation."""
    mean = _blur(grey)
    deviation = np.sqrt(np.abs(_blur(grey * grey) - mean * mean))
    return (grey - mean) / (deviation + 1), deviation


def _blur(values: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(values, (7, 7), _SIGMA, borderType=cv2.BORDER_REPLICATE)


def _blocks(values: np.ndarray, side: int) -> np.ndarray:
    rows, columns = values.shape[0] // side, values.shape[1] // side
    return values.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)


def _features(blocks: np.ndarray) -> np.ndarray:
    """(N, S, S) to (N, 18): shape of the distribution of values, and of neighbours' products."""
    alpha, left, right = _asymmetric_gaussian(blocks)
    parts = [alpha, (left + right) / 2]
    for shift in _SHIFTS:
        alpha, left, right = _asymmetric_gaussian(blocks * np.roll(blocks, shift, (1, 2)))
        mean = (right - left) * np.array([math.gamma(2 / a) / math.gamma(1 / a) for a in alpha])
        parts += [alpha, mean, left, right]
    return np.stack(parts, 1)


def _asymmetric_gaussian(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shape, left and right scale of an asymmetric generalised Gaussian, by matching moments, (N,) each."""
    flat = blocks.reshape(len(blocks), -1)
    negative, positive = flat < 0, flat > 0
    square = flat * flat
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.sqrt((square * negative).sum(1) / negative.sum(1))
        right = np.sqrt((square * positive).sum(1) / positive.sum(1))
        ratio = left / right
        share = np.abs(flat).mean(1) ** 2 / square.mean(1)
        share = share * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, shares = _shape_table()
    alpha = shapes[np.clip(np.searchsorted(shares, np.nan_to_num(share, posinf=1.0)), 0, len(shapes) - 1)]
    factor = _beta_factor(alpha)
    return alpha, np.nan_to_num(left) * factor, np.nan_to_num(right) * factor  # a flat patch has no sides


@lru_cache(maxsize=1)
def _shape_table() -> tuple[np.ndarray, np.ndarray]:
    shapes = np.arange(0.2, 10.001, 0.001)
    shares = [math.exp(2 * math.lgamma(2 / a) - math.lgamma(1 / a) - math.lgamma(3 / a)) for a in shapes]
    return shapes, np.array(shares)


def _beta_factor(alpha: np.ndarray) -> np.ndarray:
    """Scale of a generalised Gaussian over its standard deviation, by shape."""
    return np.array([math.exp((math.lgamma(1 / a) - math.lgamma(3 / a)) / 2) for a in alpha])
