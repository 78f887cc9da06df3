"""The 68 landmarks: symmetry, order, and a contour that slides with yaw."""

from __future__ import annotations

import math

import torch

from facerecon.faces.align import MIRROR_68
from facerecon.head import HeadModel
from facerecon.head.skinning import rotation_matrices


def turned(points: torch.Tensor, yaw: float) -> torch.Tensor:
    return points @ rotation_matrices(torch.tensor([0.0, yaw, 0.0])).T


def test_landmarks_are_symmetrical_on_the_mean(head: HeadModel) -> None:
    marks = head.landmarks(head.vertices())[0]
    mirror = marks[MIRROR_68] * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.allclose(marks, mirror, atol=1e-3)


def test_landmarks_are_in_ibug_order(head: HeadModel) -> None:
    marks = head.landmarks(head.vertices())[0]
    assert (marks[1:16, 0].diff() > 0).all() and marks[0, 0] < 0 < marks[16, 0]  # from the head's right, the left of the picture, to its left
    assert (marks[17:27, 0].diff() > 0).all()
    assert marks[8, 1] == marks[:, 1].min()
    assert marks[36, 0] < marks[39, 0] < 0 < marks[42, 0] < marks[45, 0]
    assert marks[37, 1] > marks[41, 1] and marks[51, 1] > marks[57, 1]
    assert marks[30, 2] == marks[:, 2].max()


def test_inner_landmarks_ignore_yaw_and_frontal_contour_is_the_fixed_one(head: HeadModel) -> None:
    points = head.vertices()
    fixed, frontal, side = head.landmarks(points), head.landmarks(points, torch.zeros(1)), head.landmarks(points, torch.ones(1))
    assert torch.allclose(fixed, frontal, atol=1e-6)
    assert torch.equal(fixed[:, 17:], side[:, 17:])


def test_far_contour_follows_the_outline(head: HeadModel) -> None:
    points, yaw = head.vertices(), math.radians(50)
    seen = turned(points[0][head.masks["face"]], yaw)
    fixed = turned(head.landmarks(points)[0], yaw)
    slid = turned(head.landmarks(points, torch.tensor([yaw]))[0], yaw)
    for mark in (13, 14, 15):  # the face turns to its own left: those of the left side are far
        level = (seen[:, 1] - slid[mark, 1]).abs() < 0.006
        outline = seen[level, 0].max()
        assert (outline - slid[mark, 0]).abs() < 0.004
        assert slid[mark, 0] > fixed[mark, 0]


def test_contour_is_mirrored_and_continuous(head: HeadModel) -> None:
    points = head.vertices()
    left, right = (head.landmarks(points, torch.tensor([yaw]))[0, :17] for yaw in (0.7, -0.7))
    assert torch.allclose(left, right.flip(0) * torch.tensor([-1.0, 1.0, 1.0]), atol=1e-4)
    yaws = torch.linspace(-1.6, 1.6, 200)
    track = head.landmarks(points.expand(200, -1, -1), yaws)[:, :17]
    assert track.diff(dim=0).norm(dim=-1).max() < 0.008
