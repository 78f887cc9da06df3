"""PyTorch3D's rasteriser (Ravi et al. 2020) behind our conventions; optional, see requirements-train.txt.

PyTorch3D's frame of a picture has x to the left, y up, and spans -1 to 1 along the shorter side.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facerecon.types import FaceReconError


class BackendError(FaceReconError):
    """A rasteriser that was asked for is not installed."""


def draw_batch(vertices: Tensor, faces: Tensor, height: int, width: int, near: float, cull: bool) -> tuple[Tensor, Tensor]:
    """Which triangle each pixel sees, and where in it.

    Args:
        vertices: (B, V, 3) float32: u, v in pixels, depth.
        faces: (F, 3) int64 on the same device.
        height: rows of the picture.
        width: columns.
        near: triangles that reach nearer than this depth are left out.
        cull: leave out triangles seen from behind.

    Returns:
        (B, H, W) int64, -1 where empty, and perspective-correct barycentrics (B, H, W, 3), zero where empty.

    Raises:
        BackendError: PyTorch3D cannot be imported.
    """
    try:
        from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
        from pytorch3d.structures import Meshes
    except ImportError as error:
        raise BackendError(
            f"The rasteriser pytorch3d needs PyTorch3D ({error}): requirements-train.txt says how to install it."
        ) from error
    shorter = min(height, width)
    place = torch.stack(((width - 1 - 2 * vertices[..., 0]) / shorter, (height - 1 - 2 * vertices[..., 1]) / shorter, vertices[..., 2]), dim=-1)
    index = torch.full((len(vertices), height, width), -1, dtype=torch.int64, device=vertices.device)
    weights = torch.zeros(len(vertices), height, width, 3, device=vertices.device)
    for i, points in enumerate(place):
        corners = points[faces]
        kept = (corners.isfinite().all(2) & (corners[..., 2:] > near).all(2)).all(1).nonzero().squeeze(1)
        if not len(kept):
            continue
        mesh = Meshes(points.nan_to_num()[None], faces[kept][None])
        found, _, barycentric, _ = rasterize_meshes(
            mesh, (height, width), faces_per_pixel=1, perspective_correct=True, cull_backfaces=cull
        )
        seen = found[0, ..., 0] >= 0
        index[i, seen] = kept[found[0, ..., 0][seen]]
        weights[i, seen] = barycentric[0, ..., 0, :][seen]
    return index, weights
