"""Checkpoints are looked for in three places, in order, and an error names all three."""

from __future__ import annotations

import shutil
import socket

import pytest
import torch
from safetensors.torch import save_file

from facerecon import checkpoints
from facerecon.checkpoints import CheckpointError, find_checkpoint, find_optional, load_weights
from facerecon.faces.mouth import MouthReader
from facerecon.faces.parsing import FaceParser
from facerecon.pipeline import FaceReconstructor
from facerecon.restoration.texture import TextureSynthesis

SHIPPED = checkpoints.WEIGHTS


@pytest.fixture
def places(tmp_path, monkeypatch):
    """An empty weights folder and an empty Hub cache, and no network."""
    monkeypatch.setattr(checkpoints, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(checkpoints, "_absent", set())
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.delenv(checkpoints.HUB_REPO_VARIABLE, raising=False)

    def refuse(*_, **__):
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    (tmp_path / "weights").mkdir()
    return tmp_path


def put_in_cache(root, repo, name):
    """A file as the Hub client caches it."""
    folder = root / "hub" / f"models--{repo.replace('/', '--')}"
    target = folder / "snapshots" / ("0" * 40) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file({"w": torch.ones(2)}, target)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text("0" * 40)
    return target


def test_shipped_file_and_folder_come_first(places, monkeypatch):
    monkeypatch.setenv(checkpoints.HUB_REPO_VARIABLE, "someone/faces")
    put_in_cache(places, "someone/faces", "head.safetensors")
    (places / "weights" / "restoration").mkdir()
    for name in ("head.safetensors", "restoration/restoration.safetensors"):
        save_file({"w": torch.zeros(1)}, places / "weights" / name)
    assert find_checkpoint("head.safetensors") == places / "weights" / "head.safetensors"
    assert find_checkpoint("restoration") == places / "weights" / "restoration"


@pytest.mark.parametrize("name", ["head.safetensors", "restoration"])
def test_hub_cache_is_used_without_network(places, monkeypatch, name):
    monkeypatch.setenv(checkpoints.HUB_REPO_VARIABLE, "someone/faces")
    file = put_in_cache(places, "someone/faces", name if name.endswith("s") else f"{name}/model.safetensors")
    found = find_checkpoint(name)
    assert found in (file, file.parent) and found.name == name


def test_folder_without_weights_does_not_count(places):
    (places / "weights" / "restoration").mkdir()
    (places / "weights" / "restoration" / "README.md").write_text("a card alone")
    with pytest.raises(CheckpointError):
        find_checkpoint("restoration")


@pytest.mark.parametrize("repo", [None, "someone/faces"])
def test_error_names_all_three_places(places, monkeypatch, repo):
    if repo:
        monkeypatch.setenv(checkpoints.HUB_REPO_VARIABLE, repo)
    with pytest.raises(CheckpointError) as caught:
        find_checkpoint("head.safetensors")
    message = str(caught.value)
    assert "head.safetensors" in message and "\n" not in message
    assert str(places / "weights") in message
    assert f"Hub cache ({places / 'hub'})" in message
    assert (repo or checkpoints.HUB_REPO_VARIABLE) in message


@pytest.mark.parametrize("kind, name", [(MouthReader, "mouth"), (FaceParser, "parsing"), (TextureSynthesis, "texture")])
@pytest.mark.skipif(not (SHIPPED / "mouth").exists(), reason="no weights")
def test_networks_that_one_can_do_without_come_from_the_hub_too(places, monkeypatch, kind, name):
    assert kind.shipped("cpu") is None
    monkeypatch.setenv(checkpoints.HUB_REPO_VARIABLE, "someone/faces")
    shutil.copy(SHIPPED / name / f"{name}.safetensors", put_in_cache(places, "someone/faces", f"{name}/{name}.safetensors"))
    assert isinstance(kind.shipped("cpu"), kind)


def test_versions_name_them_where_they_came_from_the_hub(places, monkeypatch):
    assert set(FaceReconstructor().versions(False, False)) == {"facerecon"}
    monkeypatch.setenv(checkpoints.HUB_REPO_VARIABLE, "someone/faces")
    put_in_cache(places, "someone/faces", "mouth/mouth.safetensors")
    assert set(FaceReconstructor().versions(False, False)) == {"facerecon", "mouth"}


def test_the_hub_is_asked_once_for_what_it_lacks_and_never_without_a_repository(places, monkeypatch):
    asked = []
    monkeypatch.setattr(checkpoints, "_from_hub", lambda repo, name, *_, **where: asked.append(where) or OSError("offline"))
    assert find_optional("mouth") is None and asked == []
    monkeypatch.setenv(checkpoints.HUB_REPO_VARIABLE, "someone/faces")
    assert find_optional("mouth") is find_optional("mouth") is None
    assert asked == [{"local_only": True}, {"local_only": False}]
    (places / "weights" / "mouth").mkdir()
    save_file({"w": torch.zeros(1)}, places / "weights" / "mouth" / "mouth.safetensors")
    assert find_optional("mouth") == places / "weights" / "mouth"  # what was trained meanwhile is seen


def test_weights_are_read_or_refused(tmp_path):
    save_file({"w": torch.arange(3.0)}, tmp_path / "good.safetensors")
    assert torch.equal(load_weights(tmp_path / "good.safetensors")["w"], torch.arange(3.0))
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "good.safetensors").read_bytes()[:40])
    for name in ("cut.safetensors", "missing.safetensors"):
        with pytest.raises(CheckpointError, match=name):
            load_weights(tmp_path / name)
