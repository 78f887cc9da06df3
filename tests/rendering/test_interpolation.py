from __future__ import annotations

import pytest
import torch

from facerecon.rendering import interpolate, interpolate_screen, rasterize
from tests.rendering.meshes import square


def test_interpolated_pixel_positions_are_the_pixels_themselves():
    vertices, faces = square()
    fragments = rasterize(vertices, faces, 16, 16)
    picture = interpolate(vertices[..., :2], faces, fragments)
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    expected = torch.stack((columns, rows), dim=-1) * fragments.mask[0, ..., None]
    torch.testing.assert_close(picture[0], expected, atol=1e-4, rtol=0)


def test_each_item_of_a_batch_reads_its_own_attributes_and_one_may_be_shared():
    vertices, faces = square()
    fragments = rasterize(vertices.expand(2, -1, -1), faces, 16, 16)
    values = torch.tensor([1.0, 5.0])[:, None, None].expand(2, 4, 1)
    picture = interpolate(values, faces, fragments)
    assert picture[0, 7, 7, 0] == pytest.approx(1) and picture[1, 7, 7, 0] == pytest.approx(5)
    assert interpolate(values[1:], faces, fragments)[0, 7, 7, 0] == pytest.approx(5)
    with pytest.raises(ValueError, match="items"):
        interpolate(values.repeat(2, 1, 1)[:3], faces, fragments)


def test_gradient_in_the_attributes_is_the_barycentric_weight():
    vertices, faces = square()
    fragments = rasterize(vertices, faces, 16, 16)
    attributes = torch.zeros(1, 4, 1, requires_grad=True)
    interpolate(attributes, faces, fragments)[0, 7, 5].sum().backward()
    face = faces[fragments.face_index[0, 7, 5]]
    torch.testing.assert_close(attributes.grad[0, face, 0], fragments.barycentric[0, 7, 5])


def test_gradient_in_the_vertices_matches_finite_differences():
    vertices, faces = square(depth_left=1.0, depth_right=2.0)
    fragments = rasterize(vertices, faces, 16, 16)
    attributes = torch.rand(1, 4, 2, generator=torch.Generator().manual_seed(0)).double()

    def total(moved):
        return interpolate_screen(attributes, moved, faces, fragments)[0, 3:11, 3:11]

    assert torch.autograd.gradcheck(total, vertices.double().requires_grad_())


def test_screen_interpolation_can_read_a_second_topology():
    vertices, faces = square()
    fragments = rasterize(vertices, faces, 16, 16)
    uv, uv_faces = torch.tensor([[[9.0], [0.0]]]), torch.tensor([[1, 1, 1], [0, 0, 0]])
    picture = interpolate_screen(uv, vertices, faces, fragments, attribute_faces=uv_faces)
    assert set(picture[fragments.mask].flatten().round().tolist()) == {0.0, 9.0}
