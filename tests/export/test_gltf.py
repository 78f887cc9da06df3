from __future__ import annotations

import base64
import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from facerecon.export import export_head, uv_split_mesh

HERE = Path(__file__).parent
COMPONENTS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@pytest.fixture(scope="module")
def files(tmp_path_factory, reconstruction, head) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("gltf")
    return dict(zip(("glb", "gltf"), export_head(folder / "head", reconstruction, head, ("glb", "gltf"))))


def read(path: Path) -> tuple[dict, bytes]:
    """Document and buffer, by the specification alone."""
    blob = path.read_bytes()
    if path.suffix == ".gltf":
        document = json.loads(blob)
        return document, base64.b64decode(document["buffers"][0]["uri"].split(",")[1])
    magic, version, length, json_length, kind = struct.unpack("<4sIII4s", blob[:20])
    assert (magic, version, length, kind) == (b"glTF", 2, len(blob), b"JSON")
    return json.loads(blob[20 : 20 + json_length]), blob[28 + json_length :]


def accessor(document: dict, buffer: bytes, index: int) -> np.ndarray:
    """An accessor's values (N, C), sparse or dense."""
    entry = document["accessors"][index]
    width = WIDTHS[entry["type"]]

    def view(number: int, offset: int, kind: int, count: int) -> np.ndarray:
        start = document["bufferViews"][number]["byteOffset"] + offset
        return np.frombuffer(buffer, COMPONENTS[kind], count, start)

    values = np.zeros((entry["count"], width), COMPONENTS[entry["componentType"]])
    if "bufferView" in entry:
        flat = view(entry["bufferView"], entry.get("byteOffset", 0), entry["componentType"], values.size)
        values[:] = flat.reshape(values.shape)
    if "sparse" in entry:
        sparse = entry["sparse"]
        part = sparse["indices"]
        rows = view(part["bufferView"], part.get("byteOffset", 0), part["componentType"], sparse["count"])
        part = sparse["values"]
        flat = view(part["bufferView"], part.get("byteOffset", 0), entry["componentType"], sparse["count"] * width)
        values[rows] = flat.reshape(-1, width)
    return values


@pytest.mark.parametrize("kind", ("glb", "gltf"))
def test_neutral_plus_weighted_targets_is_the_reconstruction(files, kind, reconstruction, head):
    document, buffer = read(files[kind])
    (mesh,) = document["meshes"]
    (primitive,) = mesh["primitives"]
    shape = accessor(document, buffer, primitive["attributes"]["POSITION"]).copy()
    for weight, target in zip(mesh["weights"], primitive["targets"], strict=True):
        shape += weight * accessor(document, buffer, target["POSITION"])
    expected = reconstruction.vertices[uv_split_mesh(head).source]
    away = np.abs(shape - expected).max(1)
    assert (away < 2e-5).mean() > 0.95 and away.max() < 1e-3  # only the lids, laid on the eyeballs, differ
    indices = accessor(document, buffer, primitive["indices"])
    assert np.array_equal(indices.reshape(-1, 3), uv_split_mesh(head).faces)


def test_targets_carry_the_names_of_arkit(files, head):
    document, buffer = read(files["glb"])
    (mesh,) = document["meshes"]
    names = mesh["extras"]["targetNames"]
    assert names == list(head.expression_labels) and len(names) == 52
    target = mesh["primitives"][0]["targets"][names.index("jawOpen")]
    drop = accessor(document, buffer, target["POSITION"])[:, 1].min()
    assert drop < -0.005  # the chin goes down by more than 5 mm
    assert mesh["weights"][names.index("mouthSmileLeft")] == pytest.approx(0.7)


def test_target_normals_follow_the_shape(files, head):
    document, buffer = read(files["glb"])
    (primitive,) = document["meshes"][0]["primitives"]
    index = head.expression_labels.index("jawOpen")
    base = accessor(document, buffer, primitive["attributes"]["NORMAL"])
    moved = base + accessor(document, buffer, primitive["targets"][index]["NORMAL"])
    assert np.abs(np.linalg.norm(moved, axis=1) - 1).max() < 0.02
    assert np.abs(moved - base).max() > 0.1


def test_skin_has_root_neck_and_eyes_at_their_places(files, head, reconstruction):
    document, buffer = read(files["glb"])
    (skin,) = document["skins"]
    names = [document["nodes"][joint]["name"] for joint in skin["joints"]]
    assert names == ["joint_root"] + [f"joint_{label}" for label in head.joint_labels]
    inverse = accessor(document, buffer, skin["inverseBindMatrices"]).reshape(-1, 4, 4)
    eye = -inverse[names.index("joint_left_eye"), 3, :3]
    ball = reconstruction.vertices[head.masks["left_eyeball"].numpy()]
    assert np.abs(eye - (ball.min(0) + ball.max(0)) / 2).max() < 0.006
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    weights = accessor(document, buffer, attributes["WEIGHTS_0"])
    assert np.abs(weights.sum(1) - 1).max() < 1e-5
    assert accessor(document, buffer, attributes["JOINTS_0"]).max() < len(names)


def test_world_places_of_the_joints_undo_their_bind_matrices(files):
    document, buffer = read(files["glb"])
    nodes, (skin,) = document["nodes"], document["skins"]
    inverse = accessor(document, buffer, skin["inverseBindMatrices"]).reshape(-1, 4, 4)
    parents = {child: index for index, node in enumerate(nodes) for child in node.get("children", [])}
    for joint, matrix in zip(skin["joints"], inverse):
        place, node = np.zeros(3), joint
        while node is not None:
            place, node = place + nodes[node].get("translation", (0, 0, 0)), parents.get(node)
        assert np.abs(place + matrix[3, :3]).max() < 1e-6


def test_file_is_small_names_its_maker_and_who_it_is_modelled_on(files):
    for path in files.values():
        document, _ = read(path)
        assert path.stat().st_size < 6e6
        assert document["asset"] == {"generator": "facerecon", "version": "2.0"}
        told = document["nodes"][0]["extras"]["facerecon"]["demographics"]
        assert told == {"age": 52.0, "gender": "male", "source": "user"}


@pytest.fixture(scope="module")
def carved_files(tmp_path_factory, carved, head) -> list[Path]:
    return export_head(tmp_path_factory.mktemp("carved") / "head", carved, head, ("glb", "gltf"))


def test_detail_is_a_normal_map_with_tangents(carved_files, carved):
    for path in carved_files:
        document, buffer = read(path)
        (material,) = document["materials"]
        pictures = [document["textures"][material[key]["index"]]["source"] for key in ("normalTexture",)]
        image = document["images"][pictures[0]]
        if path.suffix == ".glb":
            view = document["bufferViews"][image["bufferView"]]
            blob = buffer[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        else:
            blob = base64.b64decode(image["uri"].split(",")[1])
        stored = cv2.cvtColor(cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        assert np.array_equal(stored, carved.detail.normal_map)
        attributes = document["meshes"][0]["primitives"][0]["attributes"]
        tangents, normals = (accessor(document, buffer, attributes[name]) for name in ("TANGENT", "NORMAL"))
        assert np.abs(np.linalg.norm(tangents[:, :3], axis=1) - 1).max() < 1e-4
        assert np.abs((tangents[:, :3] * normals).sum(1)).max() < 1e-3 and set(tangents[:, 3]) <= {-1.0, 1.0}
        positions = accessor(document, buffer, attributes["POSITION"])
        nose = positions[:, 2].argmax()
        assert tangents[nose, 0] > 0.9 and tangents[nose, 3] == 1  # u grows to the head's left


def test_a_head_without_detail_has_neither(files):
    document, _ = read(files["glb"])
    assert "normalTexture" not in document["materials"][0]
    assert "TANGENT" not in document["meshes"][0]["primitives"][0]["attributes"]


def test_khronos_validator_finds_nothing_wrong(files, carved_files):
    required = os.environ.get("FACERECON_REQUIRE_VALIDATOR") == "1"
    reports = run_validator([*files.values(), *carved_files])
    if reports is None:
        assert not required, "Node or gltf-validator is missing: run npm install in tests/export"
        pytest.skip("gltf-validator is not installed: run npm install in tests/export")
    for report in reports:
        assert report["numErrors"] == 0 and report["numWarnings"] == 0, report["messages"]
        assert report["info"]["hasMorphTargets"] and report["info"]["hasSkins"] and report["info"]["hasTextures"]


def run_validator(paths: list[Path]) -> list[dict] | None:
    """Reports of the validator, None where it is not installed."""
    node = shutil.which("node")
    if node is None:
        return None
    command = [node, str(HERE / "validate.mjs"), *map(str, paths)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if "Cannot find module 'gltf-validator'" in result.stderr:
        return None
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_every_vertex_hangs_on_its_own_joints(files, head):
    document, buffer = read(files["glb"])
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    joints, weights = (accessor(document, buffer, attributes[name]) for name in ("JOINTS_0", "WEIGHTS_0"))
    source = uv_split_mesh(head).source
    found = np.zeros((len(source), len(document["skins"][0]["joints"])))
    np.add.at(found, (np.arange(len(source))[:, None], joints.astype(int)), weights)
    assert np.abs(found[:, 1:] - head.skin_weights.numpy()[source]).max() < 1e-3  # column 0 is the root


def test_eyes_hang_on_the_head_and_the_head_on_the_neck(files):
    nodes = read(files["glb"])[0]["nodes"]
    parents = {nodes[child]["name"]: node["name"] for node in nodes for child in node.get("children", [])}
    assert parents == {
        "joint_neck": "joint_root", "joint_head": "joint_neck", "joint_left_eye": "joint_head", "joint_right_eye": "joint_head",
    }


def test_colour_and_relief_are_not_exchanged(carved_files):
    for path in carved_files:
        document, _ = read(path)
        (material,) = document["materials"]
        slots = material["pbrMetallicRoughness"]["baseColorTexture"], material["normalTexture"]
        assert [document["images"][document["textures"][slot["index"]]["source"]]["name"] for slot in slots] == ["head", "relief"]
