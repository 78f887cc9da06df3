from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facerecon.faces.mouth import lip_gap, shut_lips
from facerecon.reconstruction.camera import seen_yaw
from facerecon.reconstruction.fitting import fit_landmarks
from facerecon.rendering import project, to_camera
from facerecon.types import Demographics, HeadParameters


def marks_of(parameters, head):
    row = lambda v: torch.from_numpy(np.asarray(v, np.float32))[None]  # noqa: E731
    vertices = head.vertices(row(parameters.identity), row(parameters.expression), head.mean_weights(parameters))
    rotation, translation = row(parameters.rotation), row(parameters.translation_m)
    points = to_camera(head.landmarks(vertices, seen_yaw(rotation, translation)), rotation, translation)
    return project(points, torch.tensor([parameters.focal_px]), row(parameters.principal_point))[0].numpy()


def turned(yaw):
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)


@pytest.fixture(scope="module")
def true(head):
    rng = np.random.default_rng(0)
    identity, expression = np.zeros(len(head.identity_labels)), np.zeros(len(head.expression_labels))
    identity[:30] = rng.normal(0, 0.7, 30)
    expression[head.expression_labels.index("jawOpen")] = 0.25
    values = (identity, expression, Demographics(age=30), turned(0.40), (0.02, -0.01, -0.8), 900.0, (200, 150), np.zeros((9, 3)))
    return HeadParameters(*(v if isinstance(v, (Demographics, float)) else np.asarray(v, np.float32) for v in values))


def test_landmarks_bring_back_an_open_mouth_and_the_pose(head, true):
    shut = replace(
        true, expression=np.zeros_like(true.expression), identity=true.identity * 0,
        rotation=turned(0.33), translation_m=true.translation_m + np.float32([0.01, 0, 0.05]),
    )  # fmt: skip
    seen = marks_of(true, head)
    fitted = fit_landmarks(shut, seen, np.full(68, 1.0), head)
    before, after = (np.linalg.norm(marks_of(p, head) - seen, axis=1).mean() for p in (shut, fitted))
    assert before > 10 and after < 1
    assert fitted.expression[head.expression_labels.index("jawOpen")] > 0.05
    assert 0 <= fitted.expression.min() and fitted.expression.max() <= 1
    assert np.allclose(fitted.rotation @ fitted.rotation.T, np.eye(3), atol=1e-5)
    assert np.degrees(np.arccos((np.trace(fitted.rotation.T @ true.rotation) - 1) / 2)) < 3


def test_landmarks_that_are_hardly_trusted_move_the_pose_alone(head, true):
    seen = marks_of(true, head) + np.random.default_rng(1).normal(0, 5, (68, 2))
    fitted = fit_landmarks(true, seen, np.full(68, 1e4), head)
    assert np.allclose(fitted.identity, true.identity, atol=1e-2)
    assert np.allclose(fitted.expression, true.expression, atol=1e-2)


def test_a_given_shape_stays(head, true):
    seen = marks_of(true, head) + np.float32([3, 0])
    fitted = fit_landmarks(true, seen, np.full(68, 1.0), head, identities=0)
    assert np.array_equal(fitted.identity, true.identity)
    assert np.linalg.norm(marks_of(fitted, head) - seen, axis=1).mean() < 0.5


def yaw_of(parameters):
    return np.degrees(np.arctan2(parameters.rotation[0, 2], parameters.rotation[2, 2]))


def test_a_profile_taken_for_a_half_turned_head_is_turned_by_its_landmarks(head, true):
    profile, half = replace(true, rotation=turned(1.35)), replace(true, rotation=turned(0.8))
    seen = marks_of(profile, head) + np.random.default_rng(2).normal(0, 3, (68, 2))
    fitted = fit_landmarks(half, seen, np.full(68, 5.0), head)
    assert abs(yaw_of(fitted) - yaw_of(profile)) < 8 < yaw_of(profile) - yaw_of(half)
    assert np.linalg.norm(marks_of(fitted, head) - seen, axis=1).mean() < 6


def test_small_differences_leave_the_pose_to_the_encoder(head, true):
    apart = marks_of(replace(true, rotation=turned(0.45)), head)
    fitted = fit_landmarks(true, apart, np.full(68, 25.0), head)
    assert yaw_of(fitted) - yaw_of(true) < 0.6 * np.degrees(0.05)


def test_lips_of_a_shut_mouth_touch_and_stay_in_their_place(head, true):
    rest = replace(true, rotation=turned(0.1), expression=np.zeros_like(true.expression))
    at_rest = marks_of(rest, head)
    ajar = np.zeros_like(true.expression)
    for name, value in (("jawOpen", 0.12), ("mouthSmileLeft", 0.2), ("mouthSmileRight", 0.2), ("mouthUpperUpLeft", 0.2)):
        ajar[head.expression_labels.index(name)] = value
    smiling = marks_of(replace(rest, expression=ajar), head)
    seen = shut_lips(smiling[None], np.zeros(1))[0]
    fitted = marks_of(fit_landmarks(replace(rest, expression=ajar), seen, np.full(68, 4.0), head), head)
    assert lip_gap(smiling) > 2.5 * lip_gap(at_rest)
    assert lip_gap(fitted) < 1.1 * lip_gap(at_rest)
    eyes = np.linalg.norm(seen[36] - seen[45])
    assert np.linalg.norm(fitted[48:60] - seen[48:60], axis=1).mean() < 0.03 * eyes
    open_again = marks_of(fit_landmarks(rest, smiling, np.full(68, 4.0), head), head)
    assert lip_gap(open_again) > 0.8 * lip_gap(smiling)


def test_a_broad_jaw_puffs_no_cheeks(head, true):
    rest = replace(true, expression=np.zeros_like(true.expression))
    marks = marks_of(rest, head)
    broad = marks.copy()
    broad[:17] = (marks[:17] - marks[:17].mean(0)) * (1.15, 1) + marks[:17].mean(0)
    fitted = fit_landmarks(rest, broad.astype(np.float32), np.full(68, 2.0), head)
    assert fitted.expression[head.expression_labels.index("cheekPuff")] < 0.02
