"""Takes the jitter out of what a network says frame by frame.

Two filters for channels (C, D) of values in time, D values sharing their noise:
a Kalman smoother that looks at most ``LAG`` frames ahead, and the One Euro filter, which
never looks ahead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Method = Literal["kalman", "one-euro", "none"]
METHODS: tuple[Method, ...] = ("kalman", "one-euro", "none")
LAG = 2  # frames
_SURPRISE = 3.0  # standard deviations beyond which a value is motion rather than noise


@dataclass(frozen=True)
class Motion:
    """How a channel moves and how noisy it is.

    Attributes:
        noise: standard deviation of one measurement, in the channel's unit.
        acceleration: standard deviation of the acceleration, units a second squared.
        beta: One Euro: how much the cutoff (Hz) grows with speed (units a second).
        cutoff: One Euro: cutoff at rest, Hz.
    """

    noise: float
    acceleration: float
    beta: float
    cutoff: float = 1.0


def smooth(times: np.ndarray, values: np.ndarray, motion: Motion, method: Method = "kalman") -> np.ndarray:
    """Values without their jitter.

    Args:
        times: (T,) seconds, increasing.
        values: (T, C, D); the D values of a channel share one noise and one gain.
        motion: what is known of the channels.
        method: of ``METHODS``.

    Returns:
        (T, C, D) float64; what it says of a frame rests on frames up to ``LAG`` later (``"kalman"``) or none later.
    """
    values = np.asarray(values, np.float64)
    if method == "none" or len(values) < 2:
        return values.copy()
    if method == "one-euro":
        return one_euro(times, values, motion)
    return fixed_lag_kalman(times, values, motion)


def one_euro(times: np.ndarray, values: np.ndarray, motion: Motion) -> np.ndarray:
    """The One Euro filter (Casiez, Roussel, Vogel, CHI 2012), the speed of a channel being that of its D values together."""
    out = values.copy()
    speed = np.zeros_like(values[0])
    for t in range(1, len(values)):
        step = max(float(times[t] - times[t - 1]), 1e-6)
        speed += _gain(1.0, step) * ((values[t] - out[t - 1]) / step - speed)
        cutoff = motion.cutoff + motion.beta * np.linalg.norm(speed, axis=-1, keepdims=True)
        out[t] = out[t - 1] + _gain(cutoff, step) * (values[t] - out[t - 1])
    return out


def _gain(cutoff: np.ndarray | float, step: float) -> np.ndarray | float:
    return 1.0 / (1.0 + 1.0 / (2 * math.pi * cutoff * step))


def fixed_lag_kalman(times: np.ndarray, values: np.ndarray, motion: Motion, lag: int = LAG) -> np.ndarray:
    """A Kalman filter of constant velocity, then Rauch-Tung-Striebel smoothing over ``lag`` frames.

    A value that surprises the filter is taken for motion, and the acceleration it allows
    is raised for that step, the more the greater the surprise: a blink stays a blink.
    """
    steps = np.diff(times).clip(1e-6)
    filtered, predicted = [_start(values[0], motion)], []
    for t, step in enumerate(steps, 1):
        ahead = _predict(filtered[-1], step, np.full(values.shape[1], motion.acceleration**2))
        surprise = _surprise(ahead, values[t], motion)
        if (surprise > _SURPRISE**2).any():
            raised = motion.acceleration**2 * np.where(surprise > _SURPRISE**2, (surprise / _SURPRISE**2) ** 2, 1.0)
            ahead = _predict(filtered[-1], step, raised)
        predicted.append(ahead)
        filtered.append(_correct(ahead, values[t], motion))
    out = np.empty_like(values)
    for t in range(len(values)):
        mean = filtered[min(t + lag, len(values) - 1)][0]
        for k in range(min(t + lag, len(values) - 1) - 1, t - 1, -1):
            mean = _smooth_back(filtered[k], predicted[k], mean, steps[k])
        out[t] = mean[0]
    return out


_State = tuple[np.ndarray, np.ndarray]  # mean (2, C, D): place and velocity; covariance (2, 2, C)


def _start(value: np.ndarray, motion: Motion) -> _State:
    covariance = np.zeros((2, 2, len(value)))
    covariance[0, 0] = motion.noise**2
    covariance[1, 1] = motion.acceleration**2
    return np.stack((value, np.zeros_like(value))), covariance


def _predict(state: _State, step: float, acceleration: np.ndarray) -> _State:
    mean, covariance = state
    transition = np.array([[1.0, step], [0.0, 1.0]])
    drive = np.array([[step**4 / 4, step**3 / 2], [step**3 / 2, step**2]])
    moved = np.einsum("ij,jkc,lk->ilc", transition, covariance, transition)
    return np.einsum("ij,jcd->icd", transition, mean), moved + drive[..., None] * acceleration


def _surprise(ahead: _State, value: np.ndarray, motion: Motion) -> np.ndarray:
    """Squared miss of a prediction in standard deviations, (C,), mean over D."""
    mean, covariance = ahead
    return ((value - mean[0]) ** 2).mean(-1) / (covariance[0, 0] + motion.noise**2)


def _correct(ahead: _State, value: np.ndarray, motion: Motion) -> _State:
    mean, covariance = ahead
    gain = covariance[:, 0] / (covariance[0, 0] + motion.noise**2)  # (2, C)
    corrected = mean + gain[..., None] * (value - mean[0])
    return corrected, covariance - gain[:, None] * covariance[None, 0]


def _smooth_back(state: _State, ahead: _State, later: np.ndarray, step: float) -> np.ndarray:
    """The mean (2, C, D) at a step, given the smoothed mean of the next."""
    mean, covariance = state
    transition = np.array([[1.0, step], [0.0, 1.0]])
    cross = np.einsum("ijc,kj->cik", covariance, transition)
    gain = cross @ np.linalg.inv(np.moveaxis(ahead[1], -1, 0))
    return mean + np.einsum("cij,jcd->icd", gain, later - ahead[0])
