"""Small meshes for the tests."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def uv_sphere(rings: int = 24, segments: int = 32, radius: float = 0.1) -> tuple[Tensor, Tensor]:
    """Vertices (V, 3) and counter-clockwise faces (F, 3) of a sphere around the origin."""
    theta = torch.linspace(0, math.pi, rings + 1)[:, None]
    phi = torch.arange(segments)[None] * (2 * math.pi / segments)
    vertices = torch.stack(
        ((theta.sin() * phi.sin()), theta.cos().expand(-1, segments), theta.sin() * phi.cos()), dim=-1
    ).reshape(-1, 3)
    faces = []
    for ring in range(rings):
        for segment in range(segments):
            after = (segment + 1) % segments
            a, b = ring * segments + segment, ring * segments + after
            c, d = a + segments, b + segments
            faces += [(a, c, d)] * (ring < rings - 1) + [(a, d, b)] * (ring > 0)
    return vertices * radius, torch.tensor(faces)


def square(depth_left: float = 1.0, depth_right: float = 1.0) -> tuple[Tensor, Tensor]:
    """Pixel vertices (1, 4, 3) of a square from (2, 2) to (12, 12) and its two faces."""
    vertices = torch.tensor(
        [[2.0, 2.0, depth_left], [2.0, 12.0, depth_left], [12.0, 12.0, depth_right], [12.0, 2.0, depth_right]]
    )
    return vertices[None], torch.tensor([[0, 1, 2], [0, 2, 3]])
