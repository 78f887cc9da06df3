"""The pinhole camera.

The camera stands at the origin and looks down -z; x is right, y up, z toward
the camera, all in metres. A pixel's centre has integer coordinates, u to the
right and v down: ``u = cx + f x / -z``, ``v = cy - f y / -z``.
"""

from __future__ import annotations

import torch
from torch import Tensor

NEAREST_DEPTH_M = 1e-3


def to_camera(points: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """Move points from the head's frame into the camera's.

    Args:
        points: (B, N, 3) metres.
        rotation: (B, 3, 3) head to camera.
        translation: (B, 3) the head's origin in the camera frame, metres.

    Returns:
        (B, N, 3) metres.
    """
    return points @ rotation.transpose(-1, -2) + translation[:, None, :]


def pixel_vertices(points_camera: Tensor, focal: Tensor, principal: Tensor) -> Tensor:
    """Project points and keep their depth, as ``rasterize`` wants them.

    Args:
        points_camera: (B, N, 3) metres, camera frame.
        focal: (B,) pixels.
        principal: (B, 2) pixels.

    Returns:
        (B, N, 3): u, v in pixels and depth in metres (positive in front of the lens).
    """
    x, y, z = points_camera.unbind(-1)
    depth = -z
    scale = focal[:, None] / depth.clamp_min(NEAREST_DEPTH_M)
    u = principal[:, :1] + scale * x
    v = principal[:, 1:] - scale * y
    return torch.stack((u, v, depth), dim=-1)


def project(points_camera: Tensor, focal: Tensor, principal: Tensor) -> Tensor:
    """Project points of the camera frame (B, N, 3) metres to pixels (B, N, 2)."""
    return pixel_vertices(points_camera, focal, principal)[..., :2]


def scale_pixels(pixels: Tensor, factor: float) -> Tensor:
    """Move pixel positions to an image ``factor`` times the size.

    Args:
        pixels: (..., 2) or (..., 3); a third column (depth) stays as it is.
    """
    scaled = (pixels[..., :2] + 0.5) * factor - 0.5
    return torch.cat((scaled, pixels[..., 2:]), dim=-1)
