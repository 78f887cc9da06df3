"""Colours survive restoration; monochrome photos stay monochrome."""

import numpy as np
import pytest

from facerecon.restoration import degradations as d
from facerecon.restoration.colour import keep_colour, tone, toning


@pytest.fixture
def portrait():
    """A smooth picture with skin, a blue wall and red lips."""
    y, x = np.mgrid[0:128, 0:128] / 127.0
    skin = np.array([205, 160, 130]) * (0.55 + 0.45 * np.sin(3 * y + 2 * x))[..., None] ** 2
    picture = np.where((np.hypot(x - 0.5, y - 0.5) < 0.4)[..., None], skin, np.array([70, 100, 170]) * (0.4 + 0.6 * x)[..., None])
    picture[80:90, 50:80] = (180, 60, 70)
    return picture.clip(0, 255).astype(np.uint8)


def test_a_colour_photo_has_no_toning(portrait):
    assert toning(portrait) is None
    assert toning(d.degrade(portrait, "heavy", np.random.default_rng(0))) is None


@pytest.mark.parametrize("make", [d.monochrome, d.sepia])
def test_monochrome_photos_stay_so_whatever_the_network_paints(portrait, make):
    old = d.jpeg(make(portrait), 70)
    tones = toning(old)
    assert tones is not None
    painted = tone(portrait, tones)
    truth = make(portrait).astype(float)
    cast = painted.astype(float) - painted.mean(2, keepdims=True) - (truth - truth.mean(2, keepdims=True))
    assert np.abs(cast).mean() < 4


def test_a_cast_is_taken_out_and_luma_stays(portrait):
    warm = np.clip(portrait + np.array([12.0, 0.0, -14.0]), 0, 255).astype(np.uint8)
    kept = keep_colour(portrait, warm, 0.7)
    chroma = lambda x: (x - x.mean(2, keepdims=True)).mean((0, 1))  # noqa: E731
    assert np.abs(chroma(kept.astype(float)) - chroma(portrait.astype(float))).max() < 1
    luma = np.array([0.299, 0.587, 0.114])
    assert abs(float((kept @ luma - warm @ luma).mean())) < 0.6
    assert np.array_equal(keep_colour(portrait, warm, 0.0), warm)


def test_small_spots_of_colour_may_be_mended(portrait):
    mended = portrait.copy()
    mended[80:90, 50:80] = (200, 40, 90)
    kept = keep_colour(portrait, mended, 1.0).astype(int)
    assert np.abs(kept[82:88, 55:75] - (200, 40, 90)).max() < 12
