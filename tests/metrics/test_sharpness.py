from __future__ import annotations

import cv2
import numpy as np
import pytest

from facerecon.metrics.sharpness import blur_score, noise_sigma


def blocks() -> np.ndarray:
    rng = np.random.default_rng(0)
    return cv2.resize(rng.integers(40, 215, (32, 32, 3), np.uint8), (256, 256), interpolation=cv2.INTER_NEAREST)


def test_blur_score_grows_with_blur() -> None:
    scores = [blur_score(blocks())] + [blur_score(cv2.GaussianBlur(blocks(), (0, 0), s)) for s in (1, 2, 4)]
    assert scores == sorted(scores) and scores[0] < 0.35 and scores[-1] > 0.6


def test_a_plain_image_is_fully_blurred() -> None:
    assert blur_score(np.full((64, 64, 3), 7, np.uint8)) == 1.0


@pytest.mark.parametrize("sigma", [4.0, 9.0])
def test_noise_sigma_is_found_beside_edges(sigma: float) -> None:
    noise = np.random.default_rng(1).normal(0, sigma, (256, 256, 1))
    noisy = np.clip(blocks() + noise, 0, 255).astype(np.uint8)
    assert noise_sigma(noisy) == pytest.approx(sigma, rel=0.3)
    assert noise_sigma(blocks()) < 1.0
