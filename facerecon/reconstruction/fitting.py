"""A head brought to landmarks: the encoder sees the whole face at once, landmarks where its parts end.

The most likely head given both, as model fitting has it since Blanz and Vetter (SIGGRAPH 1999): the encoder's
head is the middle of a normal distribution, landmarks are seen with the errors that their network expects of itself.
Two Gauss-Newton steps over pose, identity and expression find it; some more where encoder and landmarks disagree about the
side from which a head is seen, which the encoder was taught with labels that draw profiles as half-turned faces.
"""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import torch
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import lsq_linear

from facerecon.faces.mouth import LIP_PAIRS, SHUT_GAP, lip_gap
from facerecon.head import HeadModel
from facerecon.reconstruction.landmark_basis import landmark_basis, yaw_seen
from facerecon.types import HeadParameters

STEPS, ROUNDS = 2, 2
"""Steps (more change nothing), and rounds of each in which coefficients that leave their range are held at its end."""
TURN_STD = math.radians(3.0)
"""How far the encoder's rotation is off about each axis; where the head stands is left to the landmarks."""
TURN_DOUBT = 0.5
"""The encoder's rotation is further off where the landmarks alone would turn the head otherwise: by this share of the difference."""
FAR_APART, FAR_STEPS = math.radians(12.0), 5
"""Radians of such a difference from which more steps are taken, and how many."""
POSE_STEPS, LONGEST_STEP = 5, math.radians(20.0)
"""Steps to the rotation by the landmarks alone, and the longest of them, radians."""
POSE_PULL = np.array([1.0] * 3 + [1e-6] * 3)
"""What keeps them in bounds: landmarks of no weight turn nothing."""
IDENTITY_STD = 0.5
"""How far the encoder's identity coefficients are off, standard deviations of people."""
EXPRESSION_STD = 0.08
"""How far its expressions are off, which go from 0 to 1."""
BARELY = {"cheekPuff": 0.01}
"""Expressions of which landmarks say nothing: a broad jaw would puff every cheek."""
IDENTITY_LIMIT = 3.0
GAP_ERROR = 0.12
"""Standard deviation of the gap between two points of the lips, as a share of that of a point: neighbours err alike."""
TOUCH_STD_M, STAY_STD_M = 1e-4, 3e-4
"""How exactly lips of a shut mouth touch, and how exactly the mouth stays where it is when they are brought to."""
OUTER_LIPS = [*range(48, 61), 64]
"""iBUG points of the lips' outer edge and of the corners of the mouth."""
ERROR = 0.7
"""Standard deviation of a landmark in each direction, as a share of the distance it is expected to be off."""


@torch.inference_mode()
def fit_landmarks(
    parameters: HeadParameters,
    landmarks: np.ndarray,
    errors: np.ndarray,
    head: HeadModel,
    identities: int = 80,
) -> HeadParameters:
    """The parameters moved so that the head's landmarks come nearer to those seen.

    Args:
        parameters: as the encoder says; focal length and mean stay.
        landmarks: (68, 2) pixels of the photo, iBUG order.
        errors: (68,) pixels, how far each is expected to be off.
        head: the head model that the parameters belong to.
        identities: how many of the identity coefficients may move, the first ones; 0 leaves the shape as it is.
    """
    wanted, expressions = np.asarray(landmarks, np.float64), len(parameters.expression)
    sure = np.repeat(1 / (np.maximum(np.asarray(errors, np.float64), 1e-6) * ERROR), 2)
    # Landmarks are linear in the coefficients but for the contact of the eyelids and the slide of the contour, which are small.
    marks, ways = _marks(parameters, head), landmark_basis(head).ways(parameters, head, identities)
    apart = _turn_apart(parameters, marks, wanted, sure)
    turn_std, far = math.hypot(TURN_STD, TURN_DOUBT * apart), apart > FAR_APART
    stds = np.array([BARELY.get(name, EXPRESSION_STD) for name in head.expression_labels])
    start = np.concatenate((parameters.identity[:identities], parameters.expression)).astype(np.float64)
    pull = np.concatenate((np.full(3, turn_std**-2), np.full(3, 1e-6), np.full(identities, IDENTITY_STD**-2), stds**-2.0))
    low = np.concatenate((np.full(identities, -IDENTITY_LIMIT), np.zeros(expressions)))
    high = np.concatenate((np.full(identities, IDENTITY_LIMIT), np.ones(expressions)))
    now = start.clip(low, high)
    turned, gaps = np.zeros(3), _apart(sure)
    for i in range(FAR_STEPS if far else STEPS):
        if far and i:  # where a head is turned by much the contour slides by much as well
            first = _with(parameters, start, identities)
            marks, ways = _marks(first, head), landmark_basis(head).ways(first, head, identities)
        pixels, slopes = _seen(parameters, marks + ways @ (now - start), ways)
        slopes = np.concatenate((slopes * sure[:, None], gaps @ slopes))
        missing = (wanted - pixels).ravel()
        right = slopes.T @ np.concatenate((missing * sure, gaps @ missing)) + pull * np.concatenate((-turned, np.zeros(3), start - now))
        step = _bounded(slopes.T @ slopes + np.diag(pull), right, low - now, high - now)
        now = (now + step[6:]).clip(low, high)
        turned += step[:3]  # all about nearly one axis: they add up
        parameters = _moved(parameters, step[:6])
    if lip_gap(wanted) < 1.5 * SHUT_GAP:
        now[identities:] = _sealed(now[identities:], stds, ways[..., identities:])
    return _with(parameters, now, identities)


def _turn_apart(parameters: HeadParameters, marks: np.ndarray, wanted: np.ndarray, sure: np.ndarray) -> float:
    """Radians between the encoder's rotation and the one that landmarks (68, 2) alone would give its head, points (68, 3)."""
    posed, still = parameters, np.zeros((len(marks), 3, 0))
    for _ in range(POSE_STEPS):
        pixels, slopes = _seen(posed, marks, still)
        slopes = slopes * sure[:, None]
        step = np.linalg.solve(slopes.T @ slopes + np.diag(POSE_PULL), slopes.T @ ((wanted - pixels).ravel() * sure))
        step[:3] *= min(1.0, LONGEST_STEP / max(float(np.linalg.norm(step[:3])), 1e-9))
        posed = _moved(posed, step)
    return float(np.linalg.norm(cv2.Rodrigues(np.asarray(posed.rotation @ parameters.rotation.T, np.float64))[0]))


def _sealed(expression: np.ndarray, stds: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """Expressions (K,) near those given that leave the lips as they touch in a face at rest.

    Args:
        stds: (K,) how far each may be off.
        ways: (68, 3, K) metres, where each takes the landmarks.
    """
    gaps = np.concatenate([ways[upper] - ways[lower] for upper, lower in LIP_PAIRS]) / TOUCH_STD_M
    middles = [(ways[upper] + ways[lower]) / 2 for upper, lower in LIP_PAIRS]
    kept = np.concatenate((*middles, *ways[OUTER_LIPS], np.diag(STAY_STD_M / stds))) / STAY_STD_M
    wanted = np.concatenate((np.zeros(len(gaps)), kept @ expression))
    return lsq_linear(np.concatenate((gaps, kept)), wanted, (0, 1), method="bvls").x


def _apart(sure: np.ndarray) -> np.ndarray:
    """What makes of 136 coordinates the gaps between the lips, (6, 136), over how far those are expected to be off.

    Args:
        sure: (136,) of each coordinate, 1 over its standard deviation.
    """
    rows = np.zeros((2 * len(LIP_PAIRS), len(sure)))
    for i, (upper, lower) in enumerate(LIP_PAIRS):
        for axis in (0, 1):
            above, below = 2 * upper + axis, 2 * lower + axis
            rows[2 * i + axis, [above, below]] = np.array([-1, 1]) * min(sure[above], sure[below]) / GAP_ERROR
    return rows


def _marks(parameters: HeadParameters, head: HeadModel) -> np.ndarray:
    """Landmarks (68, 3) metres of the head."""
    code = (torch.from_numpy(np.asarray(v, np.float32))[None] for v in (parameters.identity, parameters.expression))
    return head.landmarks(head.vertices(*code, head.mean_weights(parameters)), yaw_seen(parameters))[0].double().numpy()


def _seen(parameters: HeadParameters, marks: np.ndarray, ways: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (68, 3) of the head in the photo, (68, 2), and how they move with turn, shift and coefficients (136, 6 + K)."""
    rotation, focal = np.asarray(parameters.rotation, np.float64), float(parameters.focal_px)
    arms = marks @ rotation.T
    x, y, z = (arms + parameters.translation_m).T
    near, none = focal / -z, np.zeros(len(x))
    pixels = np.asarray(parameters.principal_point, np.float64) + np.stack((near * x, -near * y), 1)
    lens = np.stack((np.stack((near, none, -near * x / z), 1), np.stack((none, -near, near * y / z), 1)), 1)
    turn = np.stack([np.cross(axis, arms) for axis in np.eye(3)], 2)
    return pixels, np.concatenate((lens @ turn, lens, (lens @ rotation) @ ways), axis=2).reshape(2 * len(x), -1)


def _bounded(normal: np.ndarray, right: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Solves for a step (6 + K,) whose last K numbers stay within ``low`` and ``high``; those beyond are held at them."""
    free, step = np.ones(len(right), bool), np.zeros(len(right))
    for _ in range(ROUNDS):
        known = right[free] - normal[np.ix_(free, ~free)] @ step[~free]
        step[free] = cho_solve(cho_factor(normal[np.ix_(free, free)], check_finite=False), known, check_finite=False)
        beyond = free.copy()
        beyond[6:] &= (step[6:] < low) | (step[6:] > high)
        beyond[:6] = False
        step[6:] = step[6:].clip(low, high)
        if not beyond.any():
            break
        free &= ~beyond
    return step


def _moved(parameters: HeadParameters, pose: np.ndarray) -> HeadParameters:
    rotation = cv2.Rodrigues(pose[:3])[0] @ parameters.rotation
    translation = parameters.translation_m + pose[3:]
    return replace(parameters, rotation=rotation.astype(np.float32), translation_m=translation.astype(np.float32))


def _with(parameters: HeadParameters, coefficients: np.ndarray, identities: int) -> HeadParameters:
    identity = np.array(parameters.identity, np.float32)
    identity[:identities] = coefficients[:identities]
    return replace(parameters, identity=identity, expression=coefficients[identities:].astype(np.float32))
