"""Linear blend skinning of the head's few joints."""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor


def rotation_matrices(axis_angle: Tensor) -> Tensor:
    """Rodrigues' formula: axis-angle (..., 3) radians to rotations (..., 3, 3), smooth at zero."""
    squared = (axis_angle * axis_angle).sum(-1, keepdim=True)
    angle = (squared + 1e-16).sqrt()
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=-1).unflatten(-1, (3, 3))
    sine = (torch.sin(angle) / angle)[..., None]
    cosine = ((1 - torch.cos(angle)) / (angle * angle))[..., None]
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine * skew + cosine * (skew @ skew)


def blend_skinning(
    vertices: Tensor, joints: Tensor, pose: Tensor, weights: Tensor, parents: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Moves vertices with their joints.

    Args:
        vertices: (B, V, 3) metres, at rest.
        joints: (B, J, 3) metres, at rest.
        pose: (B, J, 3) axis-angle radians, each relative to its parent.
        weights: (V, J); what is missing to one stays at rest.
        parents: index of each joint's parent, -1 for a root; parents come first.

    Returns:
        vertices (B, V, 3) and joints (B, J, 3), posed.
    """
    local = rotation_matrices(pose)
    turned: list[Tensor] = []
    placed: list[Tensor] = []
    for index, parent in enumerate(parents):
        if parent < 0:
            turned.append(local[:, index])
            placed.append(joints[:, index])
        else:
            offset = (joints[:, index] - joints[:, parent])[..., None]
            turned.append(turned[parent] @ local[:, index])
            placed.append(placed[parent] + (turned[parent] @ offset)[..., 0])
    rotation, position = torch.stack(turned, dim=1), torch.stack(placed, dim=1)
    shift = position - (rotation @ joints[..., None])[..., 0]
    still = 1 - weights.sum(1)
    eye = torch.eye(3, dtype=vertices.dtype, device=vertices.device)
    blended = torch.einsum("vj,bjkl->bvkl", weights, rotation) + still[None, :, None, None] * eye
    moved = (blended @ vertices[..., None])[..., 0] + torch.einsum("vj,bjk->bvk", weights, shift)
    return moved, position
