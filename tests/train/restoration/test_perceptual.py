"""Distances of faces as features see them."""

import numpy as np

from facerecon.restoration.degradations import gaussian_blur
from tests.fakes import make_photo
from train.restoration.perceptual import FeatureJudge, frechet_distance


def test_more_blur_is_further_away():
    judge, photo = FeatureJudge(), make_photo(140, 140, 0)
    photo[::9] = photo[::9] // 2
    same, little, much = (judge.features(gaussian_blur(photo, sigma) if sigma else photo) for sigma in (0, 1.0, 4.0))
    assert judge.distance(same, same) == 0
    assert 0 < judge.distance(little, same) < judge.distance(much, same)


def test_frechet_of_known_gaussians():
    rng = np.random.default_rng(0)
    a = rng.normal(0, 1, (20000, 2))
    assert frechet_distance(a, a) < 1e-9
    b = rng.normal((3, 0), (1, 2), (20000, 2))  # 9 for the means, 1 for the one standard deviation
    assert abs(frechet_distance(a, b) - 10) < 0.3
