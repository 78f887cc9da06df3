from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from facerecon.export import FORMATS, ExportError, export_head, uv_split_mesh
from facerecon.export.mesh import surface, vertex_colours
from facerecon.images import ImageError


@pytest.fixture(scope="module")
def opened(tmp_path_factory, reconstruction, head):
    """Every format as trimesh reads it, and the folder."""
    folder = tmp_path_factory.mktemp("heads")
    files = export_head(folder / "old photo.v2_00", reconstruction, head)
    names = {path.name for path in files}
    assert names == {f"old photo.v2_00.{ending}" for ending in ("glb", "gltf", "obj", "mtl", "png", "ply")}
    meshes = {}
    for name in FORMATS:
        loaded = trimesh.load(folder / f"old photo.v2_00.{name}", process=False)
        if isinstance(loaded, trimesh.Scene):
            (loaded,) = loaded.geometry.values()
        meshes[name] = loaded
    return folder, meshes


def test_split_mesh_repeats_vertices_only_at_seams(head):
    mesh = uv_split_mesh(head)
    assert np.array_equal(mesh.source[mesh.faces], head.faces.numpy())
    assert np.array_equal(mesh.uv[mesh.faces], head.uv.numpy()[head.uv_faces.numpy()])
    assert set(mesh.source) == set(head.faces.numpy().ravel())
    pairs = {(int(s), float(u), float(v)) for s, (u, v) in zip(mesh.source, mesh.uv)}
    assert len(pairs) <= len(mesh.source) < 1.3 * head.vertex_count


def test_all_formats_have_the_same_vertices_and_faces(opened, head):
    _, meshes = opened
    count = len(uv_split_mesh(head).source)
    for name, mesh in meshes.items():
        assert mesh.vertices.shape == (count, 3), name
        assert mesh.faces.shape == tuple(head.faces.shape), name


def test_obj_and_ply_hold_the_expression_of_the_photo(opened, reconstruction, head):
    _, meshes = opened
    expected = reconstruction.vertices[uv_split_mesh(head).source]
    assert np.abs(meshes["ply"].vertices - expected).max() < 1e-6
    # trimesh orders the vertices of an OBJ anew: compare the corners of the faces
    faces = uv_split_mesh(head).faces
    assert np.abs(meshes["obj"].vertices[meshes["obj"].faces] - expected[faces]).max() < 2e-6
    assert np.abs(meshes["glb"].vertices - expected).max() > 3e-3  # neutral: the smile is in the weights


def test_normals_point_outward(opened):
    _, meshes = opened
    mesh = meshes["ply"]
    raw = mesh.metadata["_ply_raw"]["vertex"]["data"]
    normals = np.stack([raw[name] for name in ("nx", "ny", "nz")], axis=1)
    assert np.abs(np.linalg.norm(normals, axis=1) - 1).max() < 1e-3
    nose = mesh.vertices[:, 2].argmax()
    assert normals[nose, 2] > 0.5


def test_texture_lies_where_the_uv_says(opened, head):
    _, meshes = opened
    uv = uv_split_mesh(head).uv
    colours = np.asarray(meshes["ply"].visual.vertex_colors)
    left, right = uv[:, 0] < 0.48, uv[:, 0] > 0.52
    assert (colours[left, 0] == 200).all() and (colours[left, 2] == 0).all() and (colours[right, 2] == 200).all()
    for name in ("obj", "glb", "gltf"):
        visual = meshes[name].visual
        image = getattr(visual.material, "image", None) or visual.material.baseColorTexture
        pixels = np.asarray(image.convert("RGB"))
        assert pixels.shape == (64, 64, 3) and pixels[10, 5, 0] > 190 and pixels[10, 60, 2] > 190, name
    assert np.abs(meshes["glb"].visual.uv - uv).max() < 1e-6


def test_a_head_without_texture_is_written_in_every_format(tmp_path, reconstruction, head):
    files = export_head(tmp_path / "bare", replace(reconstruction, texture=None), head)
    assert not (tmp_path / "bare.png").exists() and len(files) == 5
    assert "map_Kd" not in (tmp_path / "bare.mtl").read_text()
    for name in FORMATS:
        assert trimesh.load(tmp_path / f"bare.{name}", process=False)


@pytest.mark.parametrize("name", ["ply", "glb", "gltf"])
def test_only_what_is_asked_for_is_written_and_nothing_else_is_left(tmp_path, reconstruction, head, name):
    files = export_head(tmp_path / "new" / "a", reconstruction, head, [name])
    assert files == [tmp_path / "new" / f"a.{name}"]
    assert list((tmp_path / "new").iterdir()) == files


def test_errors_are_one_sentence(tmp_path, reconstruction, head):
    with pytest.raises(ExportError, match="'fbx'.*glb, obj, ply, gltf, dense"):
        export_head(tmp_path / "a", reconstruction, head, ["glb", "fbx"])
    with pytest.raises(ExportError, match="vertices"):
        export_head(tmp_path / "a", replace(reconstruction, vertices=reconstruction.vertices[:9]), head, ["ply"])
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ImageError):
        export_head(tmp_path / "file" / "a", reconstruction, head, ["ply"])


def test_an_obj_holds_the_uv_and_the_normals_of_the_mesh(tmp_path, reconstruction, head):
    lines = export_head(tmp_path / "a", reconstruction, head, ["obj"])[0].read_text().splitlines()
    uv, normals = (np.array([line.split()[1:] for line in lines if line.startswith(key)], float) for key in ("vt ", "vn "))
    flat = surface(reconstruction, head, uv_split_mesh(head))
    assert np.abs(uv - flat.mesh.uv).max() < 1e-5 and np.abs(normals - flat.normals).max() < 1e-3
    assert normals[flat.positions[:, 2].argmax(), 2] > 0.5


def test_a_vertex_high_in_the_layout_has_the_colour_of_the_textures_top():
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:32] = 200
    assert vertex_colours(texture, np.array([[0.5, 0.9], [0.5, 0.1]], np.float32))[:, 0].tolist() == [200, 0]
