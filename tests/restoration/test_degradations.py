"""The degradation library: seeded, ordered by level, harmless to the size."""

import numpy as np
import pytest

from facerecon.restoration import degradations as d


@pytest.fixture
def picture():
    y, x = np.mgrid[0:96, 0:96]
    waves = np.stack([np.sin(x / 3), np.sin(y / 4), np.sin((x + y) / 5)], 2)
    return (waves * 90 + 128).astype(np.uint8)


def error(a, b):
    return float(np.mean((a.astype(float) - b) ** 2))


def test_levels_get_worse(picture):
    errors = []
    for level in ("clean", "light", "medium", "heavy"):
        samples = [error(d.degrade(picture, level, np.random.default_rng(i)), picture) for i in range(12)]
        errors.append(np.mean(samples))
    assert errors == sorted(errors) and errors[3] > 3 * errors[0]


def test_same_seed_same_pixels(picture):
    first, second, other = (d.degrade(picture, "medium", np.random.default_rng(s)) for s in (5, 5, 6))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


@pytest.mark.parametrize("level", list(d.LEVELS))
def test_size_and_type_are_kept(picture, level):
    wide = picture[:64]
    out = d.degrade(wide, level, np.random.default_rng(0))
    assert out.shape == wide.shape and out.dtype == np.uint8


def test_input_is_not_touched(picture):
    before = picture.copy()
    d.old_photo(picture, np.random.default_rng(1))
    d.scratches(picture, 3, np.random.default_rng(1))
    assert np.array_equal(picture, before)


def test_old_photo_of_a_grey_photo_stays_grey():
    grey = np.repeat(np.tile(np.arange(96, dtype=np.uint8)[None, :, None], (96, 1, 1)), 3, 2)
    out = d.old_photo(grey, np.random.default_rng(2)).astype(int)
    assert np.abs(out[..., 0] - out[..., 2]).max() <= 1


def test_channels_keep_their_order():
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    for codec in (d.jpeg, d.webp):
        out = codec(red, 80)
        assert out[..., 0].mean() > 150 and out[..., 2].mean() < 40
