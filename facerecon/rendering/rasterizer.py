"""``rasterize``: which triangle each pixel sees, by the back end that suits the device."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from facerecon.rendering import rasterizer_cpu, rasterizer_pytorch3d, rasterizer_torch
from facerecon.rendering.camera import NEAREST_DEPTH_M
from facerecon.rendering.fragments import Fragments
from facerecon.rendering.interpolation import screen_barycentrics

Backend = Literal["auto", "numba", "torch", "pytorch3d"]


@torch.no_grad()
def rasterize(
    pixel_vertices: Tensor,
    faces: Tensor,
    height: int,
    width: int,
    backend: Backend = "auto",
    cull_backfaces: bool = False,
) -> Fragments:
    """Find the visible triangle of every pixel.

    Not differentiable: interpolate attributes with ``interpolate`` or
    ``interpolate_screen`` afterwards. A triangle that reaches behind the lens is
    left out, not clipped; triangles outside the picture cost nothing.

    Args:
        pixel_vertices: (B, V, 3) u, v in pixels (a pixel's centre is an integer) and depth in metres, positive.
        faces: (F, 3) integers, counter-clockwise seen from outside.
        height: rows of the picture.
        width: columns.
        backend: ``"numba"`` on the CPU, ``"torch"`` on any device; ``"auto"`` chooses one of them by the device.
            ``"pytorch3d"`` asks PyTorch3D, where it is installed.
        cull_backfaces: leave out triangles seen from behind.

    Returns:
        Fragments on the device of ``pixel_vertices``.

    Raises:
        ValueError: an unknown back end, or a tensor of the wrong shape.
        BackendError: PyTorch3D is asked for and not installed.
    """
    if pixel_vertices.ndim != 3 or pixel_vertices.shape[-1] != 3:
        raise ValueError(f"pixel_vertices must be (B, V, 3), not {tuple(pixel_vertices.shape)}")
    if backend not in get_args(Backend):
        raise ValueError(f"backend must be one of {', '.join(get_args(Backend))}, not {backend!r}")
    device = pixel_vertices.device
    if backend == "auto":
        backend = "numba" if device.type == "cpu" else "torch"
    vertices = pixel_vertices.detach().float().contiguous()
    faces = faces.to(device=device, dtype=torch.int64).contiguous()
    if backend == "torch":
        face_index = rasterizer_torch.draw_batch(vertices, faces, height, width, NEAREST_DEPTH_M, cull_backfaces)
        return Fragments(face_index, screen_barycentrics(vertices, faces, face_index))
    if backend == "pytorch3d":
        return Fragments(*rasterizer_pytorch3d.draw_batch(vertices, faces, height, width, NEAREST_DEPTH_M, cull_backfaces))
    return _draw_numba(vertices, faces, height, width, cull_backfaces)


def _draw_numba(vertices: Tensor, faces: Tensor, height: int, width: int, cull: bool) -> Fragments:
    device, batch = vertices.device, len(vertices)
    face_index = torch.full((batch, height, width), -1, dtype=torch.int64)
    barycentric = torch.zeros(batch, height, width, 3)
    rasterizer_cpu.draw_batch(
        vertices.cpu().numpy(),
        faces.cpu().numpy(),
        NEAREST_DEPTH_M,
        cull,
        face_index.numpy(),
        barycentric.numpy(),
    )
    return Fragments(face_index.to(device), barycentric.to(device))
