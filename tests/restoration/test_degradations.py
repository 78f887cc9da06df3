"""The degradation library: seeded, ordered by level, harmless to the size."""

import numpy as np
import pytest

from facerecon.restoration import degradations as d
from facerecon.restoration.degradations import levels
from facerecon.types import FaceReconError


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
def test_the_plain_chain_is_that_of_benchmarks(picture, level):
    ranges, unit = d.PLAIN_LEVELS[level], 2.0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        expected = d.gaussian_blur(picture, rng.uniform(*ranges.blur) * unit)
        expected = d.shrink(expected, rng.uniform(*ranges.scale) * unit)
        expected = d.jpeg(d.sensor_noise(expected, rng.uniform(*ranges.noise), rng), int(rng.integers(*ranges.quality)))
        plain = d.degrade(picture, level, np.random.default_rng(seed), unit, plain=True)
        assert np.array_equal(plain, d.enlarge(expected, 96, 96))


def test_blurs_are_mostly_gaussian_and_small_ones_always(picture):
    def gaussian(sigma, seed):
        return np.array_equal(levels._random_blur(picture, sigma, np.random.default_rng(seed)), d.gaussian_blur(picture, sigma))

    assert all(gaussian(0.29, seed) for seed in range(30))
    assert 0.5 < np.mean([gaussian(1.5, seed) for seed in range(200)]) < 0.7


def test_levels_come_as_often_as_asked():
    assert {d.random_level(np.random.default_rng(seed), {"clean": 0.0, "heavy": 1.0}) for seed in range(8)} == {"heavy"}


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


@pytest.mark.parametrize("name", d.names())
def test_every_named_degradation_is_seeded_and_keeps_the_size(picture, name):
    wide, one = picture[:64], d.DEGRADATIONS[name]
    first, again = (one.apply(wide, np.random.default_rng(3), **one.draw(np.random.default_rng(3), 0.7)) for _ in range(2))
    assert first.shape == wide.shape and first.dtype == np.uint8
    assert np.array_equal(first, again) and not np.array_equal(first, wide)


@pytest.mark.parametrize("name", ["gaussian_blur", "motion_blur", "sensor_noise", "shot_noise", "film_grain", "jpeg", "webp", "fade"])
def test_strength_says_how_bad_it_is(picture, name):
    one = d.DEGRADATIONS[name]
    weak, strong = (one.apply(picture, np.random.default_rng(0), **one.draw(np.random.default_rng(0), s)) for s in (0.05, 0.95))
    assert error(strong, picture) > 2 * error(weak, picture)


def test_lengths_follow_the_size_of_the_photo(picture):
    large = picture.repeat(4, 0).repeat(4, 1)
    blur = d.DEGRADATIONS["gaussian_blur"]
    small, big = (blur.apply(x, np.random.default_rng(0), sigma=6.0) for x in (picture, large))
    assert error(big[2::4, 2::4], small) < 25


def test_an_argument_that_does_not_exist_is_named(picture):
    with pytest.raises(FaceReconError, match="radius"):
        d.DEGRADATIONS["gaussian_blur"].apply(picture, np.random.default_rng(0), radius=2)


@pytest.mark.parametrize("name", list(d.CHAINS))
def test_a_chain_can_be_told_and_done_again(picture, name):
    out, applied = d.CHAINS[name](picture, seed=5)
    assert applied and np.array_equal(d.replay(picture, applied), out)
    assert not np.array_equal(d.CHAINS[name](picture, seed=6)[0], out)


def test_a_chain_of_unknown_links():
    with pytest.raises(FaceReconError, match="moth"):
        d.Chain([d.Step("moth")])


def test_halftone_keeps_the_tone():
    ramp = np.repeat(np.linspace(40, 220, 96, dtype=np.uint8)[None, :, None], 96, 0).repeat(3, 2)
    dots = d.halftone(ramp, 4.0).mean((0, 2))
    assert dots[:24].mean() < dots[36:60].mean() < dots[72:].mean()
