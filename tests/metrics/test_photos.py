"""PSNR and SSIM against slow twins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facerecon.metrics import psnr, sharpness, ssim


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:24, :30]
    clean = np.stack([127 + 90 * np.sin(x / (3 + c)) * np.cos(y / 5) for c in range(3)], -1)
    return np.clip(clean + rng.normal(0, 20, clean.shape), 0, 255).astype(np.uint8), clean.astype(np.uint8)


def slow_psnr(a, b):
    squares = [(float(p) - float(q)) ** 2 for p, q in zip(a.ravel(), b.ravel())]
    return 20 * math.log10(255) - 10 * math.log10(sum(squares) / len(squares))


def slow_ssim(a, b):
    weights = [[math.exp(-((i - 5) ** 2 + (j - 5) ** 2) / (2 * 1.5**2)) for j in range(11)] for i in range(11)]
    weights = np.array(weights) / np.sum(weights)
    a, b = (0.299 * v[..., 0] + 0.587 * v[..., 1] + 0.114 * v[..., 2] for v in (a.astype(float), b.astype(float)))
    scores = []
    for i in range(a.shape[0] - 10):
        for j in range(a.shape[1] - 10):
            p, q = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
            mp, mq = (weights * p).sum(), (weights * q).sum()
            vp, vq, c = ((weights * (s - ms) * (t - mt)).sum() for s, ms, t, mt in ((p, mp, p, mp), (q, mq, q, mq), (p, mp, q, mq)))
            scores.append((2 * mp * mq + 2.55**2) * (2 * c + 7.65**2) / ((mp**2 + mq**2 + 2.55**2) * (vp + vq + 7.65**2)))
    return np.mean(scores)


@pytest.mark.parametrize("box", [None, (3, 2, 25, 20)])
def test_agree_with_their_slow_twins(pair, box):
    a, b = pair
    x0, y0, x1, y1 = box or (0, 0, 30, 24)
    assert psnr(a, b, box) == pytest.approx(slow_psnr(a[y0:y1, x0:x1], b[y0:y1, x0:x1]), abs=1e-9)
    assert ssim(a, b, box) == pytest.approx(slow_ssim(a[y0:y1, x0:x1], b[y0:y1, x0:x1]), abs=1e-6)


def test_equal_photos(pair):
    assert psnr(pair[1], pair[1]) == math.inf and ssim(pair[1], pair[1]) == pytest.approx(1)


def test_only_the_box_counts(pair):
    changed = pair[1].copy()
    changed[:, :3] = 255
    assert psnr(changed, pair[1], (3, 0, 30, 24)) == math.inf
    assert ssim(changed, pair[1], (3, 0, 30, 24)) == pytest.approx(1)


def test_unequal_shapes_and_empty_boxes_are_refused(pair):
    with pytest.raises(ValueError, match="shape"):
        psnr(pair[0][:-1], pair[1])
    with pytest.raises(ValueError, match="no pixel"):
        psnr(*pair, box=(40, 0, 50, 10))
    with pytest.raises(ValueError, match="11 x 11"):
        ssim(*pair, box=(0, 0, 10, 20))


def test_sharpness_falls_with_blur():
    import cv2

    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)
    scores = [sharpness(image), *(sharpness(cv2.GaussianBlur(image, (0, 0), s)) for s in (0.5, 0.8, 1.2))]
    assert scores == sorted(scores, reverse=True) and scores[0] > 0.5 and scores[-1] < 0.05


def test_sharpness_knows_the_wavelength():
    x = np.arange(64)[None].repeat(64, 0)
    waves = {n: np.repeat((127 + 100 * np.sin(2 * np.pi * x / n))[..., None], 3, -1).astype(np.uint8) for n in (3, 8)}
    assert sharpness(waves[3]) > 0.95 and sharpness(waves[8]) < 0.02
    assert sharpness(np.full((32, 32, 3), 90, np.uint8)) == 0
