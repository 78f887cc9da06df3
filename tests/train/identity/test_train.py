"""Training of the embedding: batches of pairs, losses that say what they should, a run that resumes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open

from facerecon.identity.storage import load_network
from facerecon.types import FaceReconError
from tests.train.launching import place_of_batches
from train.checkpointing import whole_checkpoints
from train.identity import train as stage
from train.identity.augment import augment
from train.identity.data import Faces, PeopleBatches
from train.identity.losses import Attributes, Contrast, CosFace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve photos of four named people, eight photos of nobody in particular."""
    rng = np.random.default_rng(0)
    packed = tmp_path / "faces"
    packed.mkdir()
    np.save(packed / "images.npy", rng.integers(0, 256, (20, 128, 128, 3), np.uint8))
    person = [f"Person_{i % 4}" for i in range(12)] + [f"UTKFace/{i}" for i in range(8)]
    unknown = np.full(12, -1)
    np.savez(
        packed / "labels.npz",
        person=np.array(person),
        pack=np.array(["LFW"] * 12 + ["UTKFace"] * 8),
        age=np.concatenate((np.full(12, np.nan), np.arange(8) * 10.0)),
        gender=np.concatenate((unknown, np.arange(8) % 2)),
        race=np.concatenate((unknown, np.arange(8) % 5)),
    )
    return packed


def test_rows_of_a_batch_are_pairs_of_one_person(folder):
    faces = Faces.load([folder])
    assert faces.named == 4 and len(np.unique(faces.person)) == 12
    batches = PeopleBatches(faces, pairs=10, seed=3)
    batch = batches[5]
    assert batch.crops.shape == (20, 112, 112, 3) and batch.crops.dtype == torch.uint8
    assert torch.equal(batch.person[0::2], batch.person[1::2])
    assert (batch.person < 4).any() and (batch.person >= 4).any()
    assert torch.equal(batches[5].crops, batch.crops) and not torch.equal(batches[6].crops, batch.crops)


def test_views_of_a_photo_differ_but_stay_pictures():
    stored = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    views = [augment(stored, np.random.default_rng(seed)) for seed in range(12)]
    assert all(v.shape == (112, 112, 3) and v.dtype == np.uint8 for v in views)
    assert not any(np.array_equal(views[0], v) for v in views[1:])


def test_contrast_falls_as_pairs_agree():
    person = torch.tensor([0, 0, 1, 1])
    right = F.normalize(torch.tensor([[1.0, 0], [1, 0.1], [-1, 0], [-1, 0.1]]), dim=1)
    wrong = right[[0, 2, 1, 3]]
    assert Contrast(memory=0)(right, person) < 0.01 < Contrast(memory=0)(wrong, person)


def test_memory_adds_wrong_people_only():
    person, unit = torch.tensor([0, 0, 1, 1]), F.normalize(torch.randn(4, 8, generator=torch.manual_seed(0)), dim=1)
    contrast = Contrast(memory=8)
    first = contrast(unit, person)
    assert contrast(unit, person) > first  # the others again
    fresh = Contrast(memory=8)
    fresh(unit, torch.zeros(4, dtype=torch.long))
    alone = Contrast(memory=0)(unit[:2], person[:2])
    assert torch.allclose(fresh(unit[:2], person[:2]), alone)  # remembered as the same person, so left out


def test_the_margin_makes_classes_harder():
    torch.manual_seed(0)
    unit, person = F.normalize(torch.randn(6, 8), dim=1), torch.tensor([0, 1, 2, 0, 1, 9])
    easy, hard = CosFace(8, 3, margin=0.0), CosFace(8, 3, margin=0.3)
    hard.load_state_dict(easy.state_dict())
    assert hard(unit, person) > easy(unit, person)
    assert torch.equal(easy(unit, person), easy(unit[:5], person[:5]))  # a person without a class is passed by


def test_unknown_attributes_cost_nothing():
    heads, embedding = Attributes(8), torch.randn(3, 8)
    nothing = torch.full((3,), -1)
    assert heads(embedding, torch.full((3,), torch.nan), nothing, nothing).item() == 0
    assert heads(embedding, torch.tensor([20.0, torch.nan, 40.0]), torch.tensor([0, 1, -1]), nothing).item() > 0


def test_photos_of_people_without_a_class_leave_that_loss_out():
    classes, unit = CosFace(8, 3), F.normalize(torch.randn(2, 8, generator=torch.manual_seed(0)), dim=1)
    assert classes(unit, torch.tensor([3, 9])).item() == 0


def test_the_memory_holds_what_all_processes_saw_and_goes_on():
    others = F.normalize(torch.randn(4, 8, generator=torch.manual_seed(1)), dim=1)
    unit, person = F.normalize(torch.randn(4, 8, generator=torch.manual_seed(0)), dim=1), torch.tensor([0, 0, 1, 1])
    shared = Contrast(memory=8, gather=lambda rows: torch.cat([rows, others if rows.is_floating_point() else rows + 2]))
    alone, resumed = Contrast(memory=8), Contrast(memory=8)
    shared(unit, person), alone(unit, person)
    resumed.load_state_dict(shared.state_dict())
    told = shared(unit, person)
    assert told > alone(unit, person) and told == resumed(unit, person)


def test_what_a_checkpoint_remembered_meets_what_is_new_on_the_device():
    contrast = Contrast(memory=8)
    contrast.load_state_dict([(torch.zeros(2, 8), torch.arange(2)), (torch.zeros(4, 8, device="meta"), torch.arange(4, device="meta"))])
    old, who = contrast.recall("meta")
    assert old.is_meta and who.is_meta and old.shape == (6, 8) and who.shape == (6,)


def run(folder: Path, output: Path, *more: str) -> tuple[dict, dict[str, torch.Tensor], dict]:
    """The state of a tiny run's newest checkpoint, its network, and what the file of that says of the run."""
    path = stage.train(stage.parse(["--config", "tiny", "--data", str(folder), "--output", str(output), "--workers", "0", *more]))
    with safe_open(path, "pt") as file:
        training = json.loads(file.metadata()["training"])
    return torch.load(whole_checkpoints(output)[-1] / "state.pt", weights_only=False), load_network(path).state_dict(), training


def test_a_stopped_run_goes_on_where_it_was(folder, tmp_path):
    straight, network, _ = run(folder, tmp_path / "straight")
    run(folder, tmp_path / "broken", "--stop-at", "2")
    resumed, again, _ = run(folder, tmp_path / "broken", "--resume", "latest")
    assert straight["step"] == resumed["step"] == 4
    for optimizer in ("optimizer", "heads"):
        for part in ("masters", "averages"):
            assert all(torch.equal(a, b) for a, b in zip(straight[optimizer][part], resumed[optimizer][part], strict=True))
    assert all(torch.equal(network[name], again[name]) for name in network)


def test_the_memory_gathers_what_the_processes_saw(folder, tmp_path, monkeypatch):
    gathered = []
    monkeypatch.setattr(stage.Accelerator, "gather", lambda self, rows: gathered.append(rows) or rows)
    state, _, _ = run(folder, tmp_path, "--stop-at", "2")
    assert [unit.shape for unit, _ in state["contrast"]] == [rows.shape for rows in gathered[::2]] and len(gathered) == 4


def test_processes_draw_people_of_their_own(folder, tmp_path):
    assert place_of_batches(stage, lambda: run(folder, tmp_path)) == (1, 3)


def test_the_networks_file_is_that_of_the_newest_checkpoint_and_says_so(folder, tmp_path):
    _, early, told = run(folder, tmp_path, "--stop-at", "2")
    assert told["steps"] == 2 and told["schedule"] == 0.5
    with pytest.raises(KeyboardInterrupt):  # killed after another checkpoint, before the end
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stage.Learner, "forward", stops_at_the_second(stage.Learner.forward))
            run(folder, tmp_path, "--resume", "latest", "--save-seconds", "0")
    assert whole_checkpoints(tmp_path)[-1].name == "step_00000003"
    later = load_network(tmp_path / "identity.safetensors").state_dict()
    assert not torch.equal(early["project.weight"], later["project.weight"])
    _, _, told = run(folder, tmp_path, "--resume", "latest")
    assert told["steps"] == 4 and told["schedule"] == 1.0
    with pytest.raises(FaceReconError, match="earlier run"):
        run(folder, tmp_path)


def stops_at_the_second(forward):
    calls = []

    def patched(self, *args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return forward(self, *args)

    return patched
