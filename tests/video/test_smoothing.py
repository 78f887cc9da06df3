from __future__ import annotations

import numpy as np
import pytest

from facerecon.video.smoothing import LAG, Motion, smooth

RATE = 25
TIMES = np.arange(300) / RATE
YAW = 20 * np.sin(2 * np.pi * 0.4 * TIMES) + 8 * np.sin(2 * np.pi * 1.1 * TIMES)
HEAD = Motion(noise=1.0, acceleration=300.0, beta=0.05)


def noisy(truth: np.ndarray, sigma: float) -> np.ndarray:
    return truth + np.random.default_rng(0).normal(0, sigma, truth.shape)


def jitter(values: np.ndarray) -> float:
    return float(np.diff(values, 2).std())


def lag(values: np.ndarray) -> float:
    """Frames by which values come after the truth."""
    shifts = np.arange(-40, 41) / 10
    misses = [np.mean((np.interp(TIMES - shift / RATE, TIMES, YAW) - values)[10:-10] ** 2) for shift in shifts]
    return float(shifts[int(np.argmin(misses))])


@pytest.mark.parametrize("method, least", [("kalman", 4.0), ("one-euro", 1.8)])
def test_jitter_falls_and_the_motion_is_not_late(method, least):
    measured = noisy(YAW, 1.0)
    smoothed = smooth(TIMES, measured[:, None, None], HEAD, method)[:, 0, 0]
    assert jitter(smoothed) < jitter(measured) / least
    assert abs(lag(smoothed)) <= (0.5 if method == "kalman" else 2)
    if method == "kalman":
        assert (smoothed - YAW).std() < 0.6 * (measured - YAW).std()


@pytest.mark.parametrize("method, ahead", [("kalman", LAG), ("one-euro", 0)])
def test_nothing_later_than_the_lag_is_looked_at(method, ahead):
    measured = noisy(YAW, 1.0)[:60, None, None]
    whole = smooth(TIMES[:60], measured, HEAD, method)
    cut = smooth(TIMES[:31], measured[:31], HEAD, method)
    assert np.allclose(whole[: 31 - ahead], cut[: 31 - ahead])
    assert LAG <= 2


def test_a_blink_stays_a_blink_while_the_rest_is_quiet():
    eyelid = np.zeros(100)
    eyelid[50:55] = 0.35, 0.9, 1.0, 0.7, 0.2
    measured = noisy(eyelid, 0.03)
    smoothed = smooth(TIMES[:100], measured[:, None, None], Motion(0.03, 8.0, 2.0))[:, 0, 0]
    assert smoothed[50:55].max() > 0.85 and abs(int(smoothed.argmax()) - 52) <= 1
    assert jitter(smoothed[:40]) < 0.25 * jitter(measured[:40])


def test_channels_do_not_touch_each_other_and_gaps_in_time_are_allowed():
    values = np.stack((noisy(YAW, 1.0), np.zeros(300)), axis=1)[..., None]
    both = smooth(TIMES, values, HEAD)
    assert np.allclose(both[:, 1], 0) and np.allclose(both[:, 0], smooth(TIMES, values[:, :1], HEAD)[:, 0])
    kept = np.r_[0:100, 140:300]
    gappy = smooth(TIMES[kept], values[kept, :1], HEAD)[:, 0, 0]
    assert np.abs(gappy - YAW[kept]).max() < 3


@pytest.mark.parametrize("method", ["kalman", "one-euro", "none"])
def test_one_frame_and_no_smoothing_change_nothing(method):
    assert np.array_equal(smooth(TIMES[:1], np.ones((1, 2, 3)), HEAD, method), np.ones((1, 2, 3)))
    assert np.array_equal(smooth(TIMES, YAW[:, None, None], HEAD, "none")[:, 0, 0], YAW)
