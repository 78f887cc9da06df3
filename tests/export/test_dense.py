from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from facerecon.export import export_head, uv_split_mesh
from facerecon.export.dense import dense_surface, subdivide
from facerecon.export.mesh import surface

DEPTH_M = 0.001


@pytest.fixture(scope="module")
def dense(tmp_path_factory, carved, head) -> trimesh.Trimesh:
    files = export_head(tmp_path_factory.mktemp("dense") / "a_00", carved, head, ["dense"])
    assert [file.name for file in files] == ["a_00_detail.obj", "a_00_detail.mtl", "a_00_detail.png"]
    return trimesh.load(files[0], process=False)


def test_subdivision_makes_four_of_one_and_keeps_the_surface():
    corners = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0], [2, 2, 0]], float)
    values, faces, source = subdivide(corners, np.array([[0, 1, 2], [1, 3, 2]]), np.arange(4))
    assert values.shape == (9, 3) and faces.shape == (8, 3)  # the shared edge has one middle
    triangles = values[faces]
    areas = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])[:, 2] / 2
    assert np.allclose(areas, 0.5) and np.array_equal(source[:4], range(4)) and source.max() < 4


def test_dense_mesh_has_sixteen_times_the_triangles(dense, head):
    assert len(dense.faces) == 16 * len(head.faces)
    assert dense.is_winding_consistent


def test_dense_mesh_stands_out_where_detail_does(carved, head):
    mesh = uv_split_mesh(head)
    smooth = surface(carved, head, mesh)
    nothing = replace(carved.detail, displacement_m=0 * carved.detail.displacement_m)
    moved, still = (dense_surface(smooth, detail) for detail in (carved.detail, nothing))
    away = ((moved.positions - still.positions) * still.normals).sum(1)
    uv = moved.mesh.uv
    middle = (abs(uv - 0.5) < 0.09).all(1)
    assert abs(away[middle] - DEPTH_M).max() < 2e-4 and not away[(abs(uv - 0.5) > 0.2).any(1)].any()
    assert np.array_equal(still.positions[: len(mesh.source)], smooth.positions)


def test_without_detail_there_is_no_dense_mesh(tmp_path, reconstruction, head):
    assert export_head(tmp_path / "a", reconstruction, head, ["dense"]) == []
    assert len(uv_split_mesh(head).faces) == len(head.faces)


def test_normals_of_the_dense_mesh_lean_where_the_normal_map_does(carved, head):
    smooth = surface(carved, head, uv_split_mesh(head))
    even = replace(carved.detail, normal_map=np.full_like(carved.detail.normal_map, (128, 128, 255)))
    leaning, plain = (dense_surface(smooth, detail) for detail in (carved.detail, even))
    cosine = (leaning.normals * plain.normals).sum(1)
    u, v = leaning.mesh.uv.T
    rim = (abs(u - 24 / 64) < 0.008) & (abs(v - 0.5) < 0.1)
    assert rim.sum() > 20 and cosine[rim].max() < 0.95 and cosine[abs(u - 24 / 64) > 0.05].min() > 0.999
