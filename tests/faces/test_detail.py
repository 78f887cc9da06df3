"""Which fine detail outlives a change."""

import cv2
import numpy as np
import pytest

from facerecon.faces.detail import kept_detail


@pytest.fixture
def crop():
    rng = np.random.default_rng(1)
    coarse = cv2.resize(rng.uniform(60, 200, (16, 16, 3)).astype(np.float32), (128, 128), interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + rng.normal(0, 12, (128, 128, 3)), 0, 255).astype(np.uint8)


def test_all_stays_where_nothing_changed(crop):
    assert kept_detail(crop, crop).min() > 0.999


def test_noise_that_was_removed_does_not_come_back(crop):
    assert kept_detail(crop, cv2.GaussianBlur(crop, (0, 0), 2)).mean() < 0.25


def test_it_is_decided_place_by_place(crop):
    after = crop.copy()
    after[:, :64] = cv2.GaussianBlur(crop, (0, 0), 2)[:, :64]
    kept = kept_detail(crop, after)
    assert kept[:, :48].mean() < 0.3 and kept[:, 80:].mean() > 0.95


def test_moved_features_take_their_old_detail_along(crop):
    assert kept_detail(crop, np.clip(crop.astype(int) + 40, 0, 255).astype(np.uint8)).mean() < 0.1
