from __future__ import annotations

import numpy as np

from facerecon.reconstruction.skin_modes import SIDE
from train.detail.data import Unwrapped
from train.skin.build import build


def test_the_component_is_the_variation_of_the_faces_and_missing_texels_do_not_matter():
    rng, count = np.random.default_rng(0), 12
    lab = np.full((count, 256, 256, 3), (150, 140, 145), np.float32)
    strength = rng.normal(0, 20, count)
    lab[:, :110, :, 0] += strength[:, None, None]
    weight = np.full((count, 256, 256), 255, np.uint8)
    weight[::2, 20:50, 100:150] = 0
    faces = Unwrapped(lab.round().clip(0, 255).astype(np.uint8), weight, np.zeros(0), {})
    model = build(faces, count=1)
    upper, lower = model.modes[0, :24, :, 0], model.modes[0, 32:, :, 0]
    assert model.modes.shape == (1, SIDE, SIDE, 3) and model.cover.min() > 0.99
    assert abs(upper.mean() - lower.mean()) > 3 and upper.std() < 0.8
