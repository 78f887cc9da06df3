from __future__ import annotations

import pytest
import torch

from facerecon.rendering import pixel_vertices, rasterize
from tests.rendering.meshes import square, uv_sphere

BACKENDS = ("numba", "torch")


def sphere_pixels(size: int, distances: tuple[float, ...] = (0.5,)):
    vertices, faces = uv_sphere()
    points = torch.stack([vertices - torch.tensor([0.0, 0.0, d]) for d in distances])
    focal = torch.full((len(distances),), 2.0 * size)
    principal = torch.full((len(distances), 2), size / 2 - 0.5)
    return pixel_vertices(points, focal, principal), faces


@pytest.mark.parametrize("backend", BACKENDS)
def test_square_covers_exactly_its_pixels_without_a_crack(backend):
    vertices, faces = square()
    mask = rasterize(vertices, faces, 16, 20, backend=backend).mask[0]
    expected = torch.zeros(16, 20, dtype=torch.bool)
    expected[2:13, 2:13] = True
    assert torch.equal(mask, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_nearer_triangle_wins_whatever_the_order(backend):
    far, near = torch.tensor([[0.0, 0, 2], [0, 15, 2], [15, 0, 2]]), torch.tensor([[0.0, 0, 1], [0, 15, 1], [15, 0, 1]])
    for order in ((0, 1), (1, 0)):
        vertices = torch.cat((far, near))[None]
        faces = torch.tensor([[0, 1, 2], [3, 4, 5]])[list(order)]
        seen = rasterize(vertices, faces, 16, 16, backend=backend).face_index[0, 2, 2]
        assert seen == order.index(1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_barycentrics_are_perspective_correct(backend):
    vertices, faces = square(depth_left=1.0, depth_right=3.0)
    fragments = rasterize(vertices, faces, 16, 16, backend=backend)
    weights = fragments.barycentric[0, 7, 7]
    depth = (weights * vertices[0, faces[fragments.face_index[0, 7, 7]], 2]).sum()
    assert depth == pytest.approx(1 / (0.5 / 1 + 0.5 / 3), rel=1e-5)  # half way in the picture: harmonic mean
    assert weights.sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_triangles_behind_the_lens_broken_or_outside_are_left_out(backend):
    vertices, faces = square()
    for broken in (torch.tensor([0.0, 0.0, -2.0]), torch.tensor([float("nan"), 0.0, 0.0]), torch.tensor([1e9, 0, 0])):
        assert not rasterize(vertices + broken, faces, 16, 16, backend=backend).mask.any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_culling_drops_only_faces_seen_from_behind(backend):
    vertices, faces = square()
    assert rasterize(vertices, faces, 16, 16, backend=backend, cull_backfaces=True).mask.any()
    assert not rasterize(vertices, faces.flip(1), 16, 16, backend=backend, cull_backfaces=True).mask.any()


def test_backends_agree_on_a_batch_of_spheres():
    vertices, faces = sphere_pixels(96, (0.4, 0.6, 1.5))
    a = rasterize(vertices, faces, 96, 96, backend="numba")
    b = rasterize(vertices, faces, 96, 96, backend="torch")
    same = a.face_index == b.face_index
    assert same.float().mean() > 0.999
    torch.testing.assert_close(a.barycentric[same], b.barycentric[same], atol=1e-4, rtol=0)


def test_torch_backend_in_many_chunks_gives_the_same(monkeypatch):
    vertices, faces = sphere_pixels(64, (0.4, 0.6))
    whole = rasterize(vertices, faces, 64, 64, backend="torch")
    monkeypatch.setattr("facerecon.rendering.rasterizer_torch.PAIRS_AT_ONCE", 1000)
    assert torch.equal(whole.face_index, rasterize(vertices, faces, 64, 64, backend="torch").face_index)


def test_sphere_silhouette_has_the_right_size():
    vertices, faces = sphere_pixels(128)
    area = rasterize(vertices, faces, 128, 128).mask.sum().item()
    radius = 256 * 0.1 / (0.5**2 - 0.1**2) ** 0.5
    assert area == pytest.approx(3.14159 * radius**2, rel=0.02)


def test_bad_arguments_are_refused():
    vertices, faces = square()
    with pytest.raises(ValueError, match="backend"):
        rasterize(vertices, faces, 16, 16, backend="opengl")
    with pytest.raises(ValueError, match="pixel_vertices"):
        rasterize(vertices[0], faces, 16, 16)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_agrees_with_the_cpu():
    vertices, faces = sphere_pixels(96, (0.4, 0.6))
    cpu = rasterize(vertices, faces, 96, 96)
    gpu = rasterize(vertices.cuda(), faces.cuda(), 96, 96)
    assert (cpu.face_index == gpu.face_index.cpu()).float().mean() > 0.999
