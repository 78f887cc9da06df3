from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from facerecon.rendering import (
    irradiance,
    linear_to_srgb,
    mesh_normals,
    sample_texture,
    sh_from_environment,
    shade,
    srgb_to_linear,
    uniform_light,
    vertex_normals,
)
from facerecon.rendering.shading import vertex_tangents
from tests.rendering.meshes import uv_sphere


def test_normals_of_a_sphere_point_outward():
    vertices, faces = uv_sphere()
    normals = vertex_normals(vertices[None], faces)[0]
    assert ((normals * normalize(vertices, dim=-1)).sum(-1)[32:-32] > 0.99).all()
    assert np.array_equal(mesh_normals(vertices.numpy(), faces.numpy()), normals.numpy())


@pytest.mark.parametrize("mirrored", [False, True])
def test_tangents_point_where_u_grows_and_know_of_mirrored_textures(mirrored):
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    uv = points[:, :2] * torch.tensor([-1.0 if mirrored else 1.0, 1.0])
    tangents = vertex_tangents(points, torch.tensor([0.0, 0, 1]).expand(4, 3), torch.tensor([[0, 1, 2], [0, 2, 3]]), uv)
    side = -1.0 if mirrored else 1.0
    assert torch.allclose(tangents, torch.tensor([side, 0, 0, side]).expand(4, 4))
    bitangent = tangents[:, 3:] * torch.linalg.cross(torch.tensor([0.0, 0, 1]).expand(4, 3), tangents[:, :3])
    assert torch.allclose(bitangent, torch.tensor([0.0, 1, 0]).expand(4, 3))  # v grows upward in both


def test_large_triangles_count_more_and_a_lone_vertex_has_no_normal():
    points = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 1], [5.0, 5, 5]])
    normals = mesh_normals(points, np.array([[0, 1, 2], [0, 2, 3]])[:, ::-1][:, ::-1])  # any strides
    assert np.allclose(normals[0], np.array([1, 0, 2]) / 5**0.5) and normals.dtype == np.float64
    assert np.allclose(normals[1], [0, 0, 1]) and not normals[4].any()


def test_a_uniform_environment_shades_by_its_radiance():
    directions = normalize(torch.randn(1, 50, 3, generator=torch.Generator().manual_seed(1)), dim=-1)
    sh = sh_from_environment(torch.full((32, 64, 3), 0.7))
    torch.testing.assert_close(irradiance(directions, sh[None]), torch.full((1, 50, 3), 0.7), atol=2e-3, rtol=0)
    albedo = torch.rand(1, 50, 3)
    torch.testing.assert_close(shade(albedo, directions, uniform_light()), albedo)


@pytest.mark.parametrize(
    ("rows", "columns", "direction"),
    [
        (slice(0, 4), slice(None), (0.0, 1.0, 0.0)),
        (slice(14, 18), slice(46, 50), (1.0, 0.0, 0.0)),
        (slice(14, 18), slice(30, 34), (0.0, 0.0, -1.0)),
    ],
)
def test_light_comes_from_where_the_environment_is_bright(rows, columns, direction):
    radiance = torch.zeros(32, 64, 3)
    radiance[rows, columns] = 10.0
    sh = sh_from_environment(radiance)[None]
    toward = torch.tensor([[direction]])
    assert irradiance(toward, sh)[0, 0, 0] > 3 * irradiance(-toward, sh)[0, 0, 0]


def test_spherical_harmonics_match_the_integral_over_the_environment():
    radiance = torch.rand(32, 64, 3, generator=torch.Generator().manual_seed(3)) ** 4
    latitude = (0.5 - (torch.arange(32) + 0.5) / 32) * torch.pi
    longitude = ((torch.arange(64) + 0.5) / 64 - 0.5) * 2 * torch.pi
    lat, lon = torch.meshgrid(latitude, longitude, indexing="ij")
    toward = torch.stack((lat.cos() * lon.sin(), lat.sin(), -lat.cos() * lon.cos()), -1)
    solid_angle = lat.cos() * (torch.pi / 32) ** 2
    normal = normalize(torch.tensor([0.3, 0.8, 0.5]), dim=0)
    cosine = (toward @ normal).clamp_min(0)
    exact = torch.einsum("hw,hwc->c", cosine * solid_angle, radiance) / torch.pi
    fitted = irradiance(normal[None, None], sh_from_environment(radiance)[None])[0, 0]
    torch.testing.assert_close(fitted, exact, rtol=0.05, atol=0)


def test_texture_origin_is_the_lower_left():
    texture = torch.zeros(1, 1, 4, 4)
    texture[0, 0, 3, 0] = 1.0  # last row, first column
    uv = torch.tensor([[[[0.125, 0.125], [0.125, 0.875]]]])
    assert sample_texture(texture, uv).flatten().tolist() == [1.0, 0.0]


def test_srgb_round_trip():
    colour = torch.linspace(0, 1, 50)
    torch.testing.assert_close(linear_to_srgb(srgb_to_linear(colour)), colour, atol=1e-5, rtol=0)
    assert srgb_to_linear(torch.tensor(0.5)) == pytest.approx(0.2140, abs=1e-3)
