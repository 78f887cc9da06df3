"""PyTorch3D's rasteriser against ours; requirements-train.txt says how to install it.

    p3d/bin/python -m tests.rendering.test_rasterizer_pytorch3d

prints how far both agree on the head, and how much time of a core they take.
"""

from __future__ import annotations

import importlib.util
import json
import time

import pytest
import torch

from facerecon.rendering import rasterize
from facerecon.rendering.rasterizer_pytorch3d import BackendError
from tests.rendering.meshes import square
from tests.rendering.test_rasterizer import sphere_pixels

INSTALLED = importlib.util.find_spec("pytorch3d") is not None
needed = pytest.mark.skipif(not INSTALLED, reason="PyTorch3D is not installed: see requirements-train.txt")


@pytest.mark.skipif(INSTALLED, reason="PyTorch3D is installed")
def test_without_pytorch3d_the_error_says_where_to_look():
    vertices, faces = square()
    with pytest.raises(BackendError, match="requirements-train.txt"):
        rasterize(vertices, faces, 16, 16, backend="pytorch3d")


@needed
@pytest.mark.parametrize("size", ((96, 96), (80, 120), (120, 80)))
def test_pytorch3d_agrees_with_ours_in_pictures_of_any_shape(size):
    height, width = size
    vertices, faces = sphere_pixels(96, (0.4, 0.6))
    ours = rasterize(vertices, faces, height, width, backend="numba")
    theirs = rasterize(vertices, faces, height, width, backend="pytorch3d")
    same = ours.face_index == theirs.face_index
    assert same.float().mean() > 0.998
    torch.testing.assert_close(ours.barycentric[same], theirs.barycentric[same], atol=1e-3, rtol=0)


@needed
def test_triangles_behind_the_lens_are_left_out_and_backfaces_on_demand():
    vertices, faces = square()
    for broken in (torch.tensor([0.0, 0.0, -2.0]), torch.tensor([float("nan"), 0.0, 0.0])):
        assert not rasterize(vertices + broken, faces, 16, 16, backend="pytorch3d").mask.any()
    assert rasterize(vertices, faces, 16, 16, backend="pytorch3d", cull_backfaces=True).mask.any()
    assert not rasterize(vertices, faces.flip(1), 16, 16, backend="pytorch3d", cull_backfaces=True).mask.any()


def agreement(size: int = 224) -> dict[str, float]:
    """Both rasterisers on the mean head."""
    from facerecon.head import HeadModel
    from facerecon.rendering import pixel_vertices

    head = HeadModel.from_pretrained()
    points = head.vertices() - torch.tensor([0.0, 0.0, 1.0])
    pixels = pixel_vertices(points, torch.tensor([3.2 * size]), torch.full((1, 2), size / 2 - 0.5))
    found, seconds = {}, {}
    for backend in ("numba", "pytorch3d"):
        rasterize(pixels, head.faces, size, size, backend=backend)
        started = time.process_time()
        found[backend] = rasterize(pixels, head.faces, size, size, backend=backend)
        seconds[backend] = time.process_time() - started
    ours, theirs = found.values()
    same = ours.face_index == theirs.face_index
    apart = (ours.barycentric - theirs.barycentric).abs()[same].max()
    return {
        "pixels": same.numel(), "same_triangle": float(same.float().mean()), "same_silhouette": float((ours.mask == theirs.mask).float().mean()),
        "barycentric_apart": float(apart), **{f"{name}_cpu_ms": 1000 * value for name, value in seconds.items()},
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(agreement(), indent=1))
