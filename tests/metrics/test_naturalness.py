"""NIQE: natural pictures score low, damaged ones high."""

import cv2
import numpy as np
import pytest

from facerecon.metrics.naturalness import FEATURES, NaturalSceneModel, patch_features


def scene(seed, side=256):
    """Overlapping discs of all sizes: the statistics of natural pictures (the dead leaves model)."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((side * 2, side * 2, 3), np.uint8)
    for radius in sorted(4 / rng.uniform(0.02, 1, 1500), reverse=True):
        colour = tuple(int(c) for c in rng.integers(20, 235, 3))
        cv2.circle(picture, tuple(int(v) for v in rng.integers(0, side * 2, 2)), int(radius) + 1, colour, -1, cv2.LINE_AA)
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def model():
    return NaturalSceneModel.fit([scene(i) for i in range(8)], patch=64)


def test_damage_raises_the_score(model):
    picture = scene(100)
    clean = model.distance(picture)
    noisy = np.clip(picture + np.random.default_rng(0).normal(0, 20, picture.shape), 0, 255).astype(np.uint8)
    assert model.distance(noisy) > clean + 1
    assert model.distance(cv2.GaussianBlur(picture, (0, 0), 2)) > clean + 1


def test_the_score_is_the_distance_between_two_normal_distributions():
    picture = scene(3)
    features = patch_features(picture, 32)[0]
    covariance = np.cov(features, rowvar=False)
    one_deviation = np.linalg.cholesky(covariance) @ np.eye(FEATURES)[5]
    for times, expected in ((1.0, 1.0), (7.0, 0.5)):  # of the two covariances the mean counts
        model = NaturalSceneModel(features.mean(0) + one_deviation, times * covariance, 32)
        assert model.distance(picture) == pytest.approx(expected, rel=1e-3)


def test_features_are_those_of_whole_patches():
    features, contrast = patch_features(scene(1)[:200, :140], 64)
    assert features.shape == (6, FEATURES) and contrast.shape == (6,) and np.isfinite(features).all()


def test_a_picture_too_small(model):
    with pytest.raises(ValueError, match="two patches of 64"):
        model.distance(scene(2)[:64, :64])
    assert model.distance(scene(2)[:64, :128]) > 0


def test_a_flat_picture_is_no_error(model):
    assert np.isfinite(model.distance(np.full((128, 128, 3), 90, np.uint8)))
