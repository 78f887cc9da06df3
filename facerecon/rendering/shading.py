"""Normals, colour spaces, textures and spherical-harmonic light.

Light is the second-order real spherical harmonics of Ramamoorthi and Hanrahan,
"An Efficient Representation for Irradiance Environment Maps" (2001). The nine
coefficients of a colour hold irradiance divided by pi, so that a uniform
environment of radiance 1 shades every albedo by exactly 1. Their order is
1, y, z, x, xy, yz, 3z^2 - 1, xz, x^2 - y^2 in the camera frame. Light adds in
linear colour: convert textures with ``srgb_to_linear`` and pictures back.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

# Cosine lobe of each band, divided by pi.
_LOBE = (1.0,) + (2.0 / 3.0,) * 3 + (0.25,) * 5
_FIRST, _SECOND, _ROUND = math.sqrt(3 / (4 * math.pi)), math.sqrt(15 / (4 * math.pi)), math.sqrt(5 / (16 * math.pi))
_FACTORS = torch.tensor([math.sqrt(1 / (4 * math.pi)), *[_FIRST] * 3, _SECOND, _SECOND, _ROUND, _SECOND, 0.5 * _SECOND])


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Unit normals, each the area-weighted mean of the triangles around the vertex.

    Args:
        vertices: (B, V, 3).
        faces: (F, 3), counter-clockwise from outside.

    Returns:
        (B, V, 3); a vertex of no triangle has a zero normal.
    """
    faces = faces.to(vertices.device).long()
    a, b, c = (vertices.index_select(1, faces[:, i]) for i in range(3))
    face_normals = torch.linalg.cross(b - a, c - a, dim=-1)
    normals = torch.zeros_like(vertices)
    for corner in range(3):
        normals = normals.index_add(1, faces[:, corner], face_normals)
    return functional.normalize(normals, dim=-1, eps=1e-20)


def mesh_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """:func:`vertex_normals` of one mesh in numpy: vertices (V, 3) float32 or float64, faces (F, 3), to (V, 3)."""
    points, corners = (torch.from_numpy(np.ascontiguousarray(array)) for array in (vertices, faces))
    return vertex_normals(points[None], corners)[0].numpy()


def vertex_tangents(vertices: Tensor, normals: Tensor, faces: Tensor, uv: Tensor) -> Tensor:
    """Where u grows on the surface, for tangent-space normal maps.

    Args:
        vertices, normals: (N, 3), split where the texture has seams.
        faces: (F, 3).
        uv: (N, 2), origin at the lower left.

    Returns:
        (N, 4): unit tangents at right angles to the normals, and 1, or -1 where the texture is mirrored: the bitangent
        is that times ``cross(normal, tangent)``.
    """
    faces = faces.long()
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    (u1, v1), (u2, v2) = ((uv[faces[:, i]] - uv[faces[:, 0]]).unbind(1) for i in (1, 2))
    area = u1 * v2 - u2 * v1
    # Times the area in UV, so that slivers count little and mirrored ones keep their direction.
    along = ((b - a) * v2[:, None] - (c - a) * v1[:, None]) * area.sign()[:, None]
    sums = torch.zeros(len(vertices), 4, dtype=vertices.dtype)
    for corner in range(3):
        sums = sums.index_add(0, faces[:, corner], torch.cat([along, area[:, None]], dim=1))
    tangent = sums[:, :3] - (sums[:, :3] * normals).sum(1, keepdim=True) * normals
    # A vertex whose triangles have no extent in UV still gets some direction along the surface.
    spare = torch.linalg.cross(normals, torch.tensor([0.0, 1.0, 0.0], dtype=normals.dtype).expand_as(normals) + 0.1 * normals.roll(1, 1))
    lost = tangent.norm(dim=1, keepdim=True) < 1e-9
    tangent = functional.normalize(torch.where(lost, spare, tangent), dim=1, eps=1e-20)
    return torch.cat([tangent, torch.where(sums[:, 3:] < 0, -1.0, 1.0).to(tangent)], dim=1)


def bend_normals(normals: Tensor, tangents: Tensor, mapped: Tensor) -> Tensor:
    """Unit normals (..., 3) bent by a tangent-space normal map.

    Args:
        normals: (..., 3) unit.
        tangents: (..., 4) as :func:`vertex_tangents` gives them, interpolated.
        mapped: (..., 3) colours of the map in [0, 1], flat at (128, 128, 255) / 255.
    """
    x, y, z = ((mapped * 255 - 128) / 127).unbind(-1)
    along = functional.normalize(tangents[..., :3], dim=-1)
    up = torch.linalg.cross(normals, along, dim=-1) * tangents[..., 3:].sign()
    return functional.normalize(x[..., None] * along + y[..., None] * up + z[..., None] * normals, dim=-1)


def sample_texture(texture: Tensor, uv: Tensor) -> Tensor:
    """Bilinear look-up.

    Args:
        texture: (B, C, T, T), or (1, C, T, T) shared by the batch.
        uv: (B, H, W, 2) in [0, 1], origin at the lower left; outside, the border's colour.

    Returns:
        (B, H, W, C).
    """
    grid = torch.stack((uv[..., 0] * 2 - 1, 1 - uv[..., 1] * 2), dim=-1)
    texture = texture.expand(len(grid), -1, -1, -1)
    sampled = functional.grid_sample(texture, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return sampled.permute(0, 2, 3, 1)


def srgb_to_linear(colour: Tensor) -> Tensor:
    """Decode sRGB values in [0, 1]."""
    return torch.where(colour <= 0.04045, colour / 12.92, ((colour.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(colour: Tensor) -> Tensor:
    """Encode linear values; negative ones become zero, values above 1 stay above 1."""
    colour = colour.clamp_min(0)
    return torch.where(
        colour <= 0.0031308, colour * 12.92, 1.055 * colour.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    )


def sh_basis(directions: Tensor) -> Tensor:
    """Nine real spherical harmonics of unit directions (..., 3), as (..., 9)."""
    x, y, z = directions.unbind(-1)
    products = (torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y)
    return torch.stack(products, dim=-1) * _FACTORS.to(directions)


def sh_quadratic(sh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same light as a quadratic form (Ramamoorthi and Hanrahan 2001), faster where normals are many.

    Args:
        sh: (B, 9), one colour.

    Returns:
        A (B, 3, 3), b (B, 3), c (B,): the light on a unit normal n is ``n A n + b n + c``.
    """
    constant, y, z, x, xy, yz, zz, xz, xx = (sh * _FACTORS.to(sh)).unbind(1)
    rows = (torch.stack(row, dim=1) for row in ((xx, xy / 2, xz / 2), (xy / 2, -xx, yz / 2), (xz / 2, yz / 2, 3 * zz)))
    return torch.stack(list(rows), dim=1), torch.stack((x, y, z), dim=1), constant - zz


def irradiance(normals: Tensor, sh: Tensor) -> Tensor:
    """Light that falls on surfaces, divided by pi.

    Args:
        normals: (B, ..., 3) unit, camera frame.
        sh: (B, 9, 3).

    Returns:
        (B, ..., 3), never negative.
    """
    basis = sh_basis(normals)
    light = torch.bmm(basis.flatten(1, -2), sh).clamp_min(0)
    return light.reshape(*basis.shape[:-1], 3)


def shade(albedo: Tensor, normals: Tensor, sh: Tensor) -> Tensor:
    """Lambertian shading in linear colour: albedo (B, ..., 3) times the light on normals (B, ..., 3)."""
    return albedo * irradiance(normals, sh)


def sh_from_environment(radiance: Tensor) -> Tensor:
    """Fit the light of an equirectangular environment.

    Args:
        radiance: (H, W, 3) linear; the top row is up (+y), the middle column lies
            straight ahead of the camera (-z), columns to its right toward +x.

    Returns:
        (9, 3) irradiance over pi. Roll the columns to turn the environment.
    """
    radiance = radiance.float()
    height, width = radiance.shape[:2]
    rows = torch.arange(height, device=radiance.device)
    columns = torch.arange(width, device=radiance.device)
    latitude = (0.5 - (rows + 0.5) / height) * math.pi
    longitude = ((columns + 0.5) / width - 0.5) * 2 * math.pi
    latitude, longitude = torch.meshgrid(latitude, longitude, indexing="ij")
    directions = torch.stack(
        (latitude.cos() * longitude.sin(), latitude.sin(), -latitude.cos() * longitude.cos()), dim=-1
    )
    weight = latitude.cos()
    weight = weight * (4 * math.pi / weight.sum())
    coefficients = torch.einsum("hwk,hwc,hw->kc", sh_basis(directions), radiance, weight)
    return coefficients * coefficients.new_tensor(_LOBE)[:, None]


def uniform_light(batch: int = 1, level: float = 1.0) -> Tensor:
    """Light of a uniform white environment, (B, 9, 3): it shades an albedo by ``level`` everywhere."""
    sh = torch.zeros(batch, 9, 3)
    sh[:, 0] = level * math.sqrt(4 * math.pi)
    return sh


def directional_light(direction: Tensor, colour: Tensor) -> Tensor:
    """Light of distant lamps, (9, 3).

    Args:
        direction: (N, 3) toward each lamp, camera frame; any length.
        colour: (N, 3) linear; a surface that faces a lamp squarely shades by about its colour.
    """
    basis = sh_basis(functional.normalize(direction, dim=-1)) * math.pi
    return torch.einsum("nk,nc->kc", basis * basis.new_tensor(_LOBE), colour)
