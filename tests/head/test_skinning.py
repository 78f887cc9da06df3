"""Rotations and blend skinning."""

from __future__ import annotations

import math

import torch

from facerecon.head.skinning import blend_skinning, rotation_matrices


def test_rotation_matrices_are_rotations() -> None:
    quarter = rotation_matrices(torch.tensor([0.0, math.pi / 2, 0.0]))
    assert torch.allclose(quarter @ torch.tensor([0.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 0.0]), atol=1e-6)
    random = rotation_matrices(torch.randn(10, 3))
    assert torch.allclose(random @ random.transpose(1, 2), torch.eye(3).expand(10, 3, 3), atol=1e-5)
    still = torch.zeros(1, 3, requires_grad=True)
    rotation_matrices(still).sum().backward()
    assert torch.isfinite(still.grad).all()


def test_still_joints_stay_wherever_they_are() -> None:
    joints, vertices = torch.randn(2, 3, 3), torch.randn(2, 5, 3)
    weights = torch.rand(5, 3).softmax(1)
    moved, placed = blend_skinning(vertices, joints, torch.zeros(2, 3, 3), weights, (-1, 0, 1))
    assert torch.allclose(placed, joints, atol=1e-6) and torch.allclose(moved, vertices, atol=1e-6)


def test_children_follow_their_parents() -> None:
    joints = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    vertices = torch.tensor([[[0.0, 2.0, 0.0], [5.0, 5.0, 5.0]]])
    weights = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    pose = torch.tensor([[[0.0, 0.0, math.pi / 2], [0.0, 0.0, math.pi / 2]]])
    moved, placed = blend_skinning(vertices, joints, pose, weights, (-1, 0))
    assert torch.allclose(placed[0, 1], torch.tensor([-1.0, 0.0, 0.0]), atol=1e-6)
    assert torch.allclose(moved[0, 0], torch.tensor([-1.0, -1.0, 0.0]), atol=1e-6)
    assert torch.allclose(moved[0, 1], vertices[0, 1])  # no weight: at rest
