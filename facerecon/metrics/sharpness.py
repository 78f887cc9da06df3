"""How sharp and how noisy a face crop is, with nothing to compare it to."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.types import Image

_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def sharpness(image: Image) -> float:
    """Share in [0, 1] of the picture's contrast that is finer than 4 pixels a wave.

    The energy of the discrete Fourier transform beyond half the Nyquist frequency,
    relative to all but the mean, of the grey picture under a Hann window (which keeps its
    borders from counting as edges). Photos of one size are comparable; noise counts as detail.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64)
    window = np.outer(np.hanning(grey.shape[0] + 2)[1:-1], np.hanning(grey.shape[1] + 2)[1:-1])
    grey = (grey - (grey * window).sum() / window.sum()) * window
    energy = np.abs(np.fft.fft2(grey)) ** 2
    y, x = np.fft.fftfreq(grey.shape[0])[:, None], np.fft.fftfreq(grey.shape[1])[None]
    total = float(energy.sum())
    return float(energy[np.hypot(y, x) > 0.25].sum()) / total if total > 1e-6 else 0.0


def blur_score(image: Image) -> float:
    """Perceptual blur in [0, 1]: 0 is sharp, 1 is featureless.

    Crété-Roffet, Dolmiere, Ladret and Nicolas, "The Blur Effect" (2007): a blurred
    picture loses little when it is blurred once more.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    scores = []
    for axis, kernel in ((1, (9, 1)), (0, (1, 9))):
        before = np.abs(np.diff(grey, axis=axis))
        after = np.abs(np.diff(cv2.blur(grey, kernel), axis=axis))
        total = float(before.sum())
        scores.append(1.0 - float(np.maximum(before - after, 0).sum()) / total if total > 0 else 1.0)
    return max(scores)


def noise_sigma(image: Image) -> float:
    """Standard deviation of the noise in grey levels.

    Immerkaer, "Fast Noise Variance Estimation" (1996), with the median in place of
    the mean, so that edges do not count as noise.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    response = np.abs(cv2.filter2D(grey, -1, _IMMERKAER))[1:-1, 1:-1]
    return float(np.median(response)) / (0.6745 * 6)
