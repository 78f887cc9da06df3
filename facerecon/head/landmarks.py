"""The 68 iBUG landmarks, embedded on the surface.

Landmarks 0 to 16 trace the face's contour, which is the outline a photo shows
and not a set of fixed points: as the head turns, those of the far side slide
along the cheek (dynamic landmarks, as in RingNet and DECA).
"""

from __future__ import annotations

import torch
from torch import Tensor

CONTOUR = 17


def surface_points(vertices: Tensor, triangles: Tensor, barycentric: Tensor) -> Tensor:
    """Points on the surface.

    Args:
        vertices: (B, V, 3).
        triangles: (..., 3) vertex indices, or (B, N, 3) when they differ within the batch.
        barycentric: as ``triangles``, weights summing to one.

    Returns:
        (B, N, 3).
    """
    if triangles.dim() == 2:
        return (vertices[:, triangles] * barycentric[None, ..., None]).sum(2)
    batch = torch.arange(len(vertices), device=vertices.device)[:, None, None]
    return (vertices[batch, triangles] * barycentric[..., None]).sum(2)


def slide_contour(
    vertices: Tensor, yaw: Tensor, triangles: Tensor, barycentric: Tensor, yaw_bins: Tensor
) -> Tensor:
    """Contour landmarks of turned heads.

    Args:
        vertices: (B, V, 3) metres, in the head's own frame.
        yaw: (B,) radians, positive when the face turns to the head's own left.
        triangles: (Y, 17, 3) vertex indices for each yaw bin; ``barycentric`` likewise.
        yaw_bins: (Y,) radians, ascending and evenly spaced.

    Returns:
        (B, 17, 3), continuous in the yaw, differentiable in the vertices.
    """
    step = (yaw_bins[-1] - yaw_bins[0]) / (len(yaw_bins) - 1)
    position = ((yaw - yaw_bins[0]) / step).clamp(0, len(yaw_bins) - 1)
    lower = position.detach().floor().long().clamp(max=len(yaw_bins) - 2)
    fraction = (position - lower)[:, None, None]
    before = surface_points(vertices, triangles[lower], barycentric[lower])
    after = surface_points(vertices, triangles[lower + 1], barycentric[lower + 1])
    return before * (1 - fraction) + after * fraction
