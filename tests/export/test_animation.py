from __future__ import annotations

import os

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facerecon.export import Clip, export_head
from tests.export.test_gltf import accessor, read, run_validator

FRAMES = 8


@pytest.fixture(scope="module")
def clip(head) -> Clip:
    """A head that turns past half a circle and opens its mouth."""
    weights = np.zeros((FRAMES, len(head.expression_labels)), np.float32)
    weights[:, head.expression_labels.index("jawOpen")] = np.linspace(0, 1, FRAMES)
    turns = np.linspace(-100, 100, FRAMES)[:, None] * np.array([[0.2, 1.0, 0.1]]) / 1.03
    return Clip("performance", np.arange(FRAMES) / 25, weights, Rotation.from_rotvec(turns, degrees=True).as_matrix())


@pytest.fixture(scope="module")
def animated(tmp_path_factory, reconstruction, head, clip):
    (path,) = export_head(tmp_path_factory.mktemp("clip") / "head", reconstruction, head, ["glb"], clip)
    return path


def tracks(path) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """Times and values by (node's name, path)."""
    document, buffer = read(path)
    (animation,) = document["animations"]
    found = {}
    for channel in animation["channels"]:
        sampler, target = animation["samplers"][channel["sampler"]], channel["target"]
        key = document["nodes"][target["node"]]["name"], target["path"]
        found[key] = accessor(document, buffer, sampler["input"])[:, 0], accessor(document, buffer, sampler["output"])
    return found


def test_the_clip_moves_expressions_as_it_says(animated, clip):
    times, weights = tracks(animated)["head", "weights"]
    assert np.allclose(times, clip.times)
    assert np.allclose(weights.reshape(FRAMES, -1), clip.weights)


def test_neck_and_head_together_turn_as_it_says_and_never_jump(animated, clip):
    found = tracks(animated)
    neck, head = (found[f"joint_{name}", "rotation"][1] for name in ("neck", "head"))
    together = (Rotation.from_quat(neck) * Rotation.from_quat(head)).as_matrix()
    assert np.abs(together - clip.rotations).max() < 1e-5
    for turns in (neck, head):
        assert np.allclose(np.linalg.norm(turns, axis=1), 1, atol=1e-6)
        assert (np.sum(turns[1:] * turns[:-1], axis=1) > 0).all()


def test_a_head_without_a_clip_has_no_animation(tmp_path, reconstruction, head):
    (path,) = export_head(tmp_path / "still", reconstruction, head, ["glb"])
    assert "animations" not in read(path)[0]


def test_khronos_validator_finds_nothing_wrong_with_the_clip(animated):
    reports = run_validator([animated])
    if reports is None:
        assert os.environ.get("FACERECON_REQUIRE_VALIDATOR") != "1", "run npm install in tests/export"
        pytest.skip("gltf-validator is not installed: run npm install in tests/export")
    assert reports[0]["numErrors"] == 0 and reports[0]["numWarnings"] == 0, reports[0]["messages"]
    assert reports[0]["info"]["animationCount"] == 1
