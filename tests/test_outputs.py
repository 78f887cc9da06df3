from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facerecon import outputs
from facerecon.head.hair import DIRECTIONS, grow_hair
from facerecon.head.hanging_hair import HEIGHTS_M
from facerecon.head.model import HeadModel
from facerecon.output_names import FORMATS, PICTURES, existing_files
from facerecon.pipeline import FaceReconstructor
from facerecon.reconstruction.camera import points_in_crop
from tests.fakes import FakeDetector, FakeReconstructor, FakeRestorer, make_photo

PARAMETER_KEYS = {
    "image_size", "landmarks_68", "box", "head_pose_degrees", "camera", "identity", "expression", "demographics",
    "mean_weights", "lighting", "hair", "quality", "model_versions", "seconds",
}  # fmt: skip


def turn(axis: str, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return {
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


@pytest.mark.parametrize("yaw, pitch, roll", [(30, 0, 0), (0, 20, 0), (0, 0, -15), (-50, 25, 40)])
def test_pose_angles_are_those_the_rotation_was_made_of(yaw: float, pitch: float, roll: float) -> None:
    rotation = turn("z", roll) @ turn("x", -pitch) @ turn("y", yaw)
    assert outputs.pose_degrees(rotation) == pytest.approx({"yaw": yaw, "pitch": pitch, "roll": roll}, abs=1e-6)


def test_positive_angles_turn_right_look_up_and_lean_anticlockwise() -> None:
    nose = np.array([0, 0, 1.0])
    assert (turn("y", 30) @ nose)[0] > 0 and outputs.pose_degrees(turn("y", 30))["yaw"] > 0
    raised = turn("x", -30)
    assert (raised @ nose)[1] > 0 and outputs.pose_degrees(raised)["pitch"] > 0


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory):
    head = HeadModel.from_pretrained()
    pipeline = FaceReconstructor(FakeDetector(), FakeRestorer(), FakeReconstructor(head), head)
    photo = make_photo()
    return tmp_path_factory.mktemp("out"), photo, pipeline.run(photo), head


def test_an_overlay_shows_hair_beside_the_neck_and_not_the_neck(result) -> None:
    _, _, done, model = result
    (bald,) = done.reconstructions
    side = np.concatenate(([1.0], np.where(HEIGHTS_M > -0.15, 0.11, 0)))
    hair = np.concatenate((np.zeros(DIRECTIONS), side, side))
    parameters = replace(
        bald.parameters, rotation=np.eye(3), translation_m=np.array([0, 0, -0.8]), focal_px=300.0, principal_point=np.array([99.5, 80]), hair=hair
    )
    head = replace(bald, parameters=parameters, vertices=grow_hair(model.vertices()[0].numpy(), hair, model), detail=None)
    drawn = (outputs.overlay_picture(np.zeros((200, 200, 3), np.uint8), head, model) > 0).any(-1)
    beside, throat = points_in_crop(np.array([(0.095, -0.08, -0.09), (0, -0.14, -0.03)]), parameters, np.eye(2, 3))[0].round().astype(int)
    assert drawn[beside[1], beside[0]] and not drawn[throat[1], throat[0]]


def test_every_promised_file_is_written(result) -> None:
    folder, photo, done, head = result
    (found,) = done.reconstructions
    files = outputs.write_restoration(folder, "sub/a", photo, done.restoration, comparison=True)
    files += outputs.write_head(folder, "sub/a", found, head, FORMATS)
    files += outputs.write_pictures(folder, "sub/a", photo, found, head, PICTURES)
    files.append(outputs.write_parameters(folder, "sub/a", photo, found, head, {"facerecon": "x"}))
    files.append(outputs.write_codes(folder, "sub/a", found, head))
    names = {file.relative_to(folder).as_posix() for file in files}
    assert names == {
        "restored/sub/a.png", "faces/sub/a_00_restored.png", "comparisons/sub/a_compare.jpg",
        "heads/sub/a_00.glb", "heads/sub/a_00.obj", "heads/sub/a_00.mtl", "heads/sub/a_00.png", "heads/sub/a_00.ply",
        "heads/sub/a_00.gltf", "renders/sub/a_00_overlay.png", "renders/sub/a_00_geometry.png",
        "renders/sub/a_00_texture.png", "renders/sub/a_00_normals.png", "renders/sub/a_00_depth.png",
        "renders/sub/a_00_crop.png", "codes/sub/a_00.npz",
        "renders/sub/a_00_turntable.mp4", "parameters/sub/a_00.json",
    }  # fmt: skip
    on_disk = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert on_disk == names
    assert set(existing_files(folder, "sub/a")) == {folder / name for name in names}


def test_parameters_have_the_documented_keys(result) -> None:
    folder, photo, done, head = result
    (found,) = done.reconstructions
    values = json.loads(outputs.write_parameters(folder, "p", photo, found, head, {"facerecon": "x"}).read_text())
    assert set(values) == PARAMETER_KEYS
    assert np.shape(values["landmarks_68"]) == (68, 2) and np.shape(values["lighting"]) == (9, 3)
    assert set(values["expression"]) == set(head.expression_labels)
    assert set(values["camera"]) == {"focal_px", "principal_point", "translation_m"}
    assert set(values["demographics"]) == {"age", "gender", "race", "ethnicity", "source"}
    documented = (Path(__file__).parents[1] / "docs" / "OUTPUTS.md").read_text()
    assert all(f"`{key}`" in documented for key in PARAMETER_KEYS)
