"""The encoder's training: exact resume, and labels that stay on the faces through every crop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from facerecon.head import HeadModel
from facerecon.reconstruction.camera import crop_points
from facerecon.reconstruction.encoder import HeadEncoder
from train.checkpointing import whole_checkpoints
from train.landmarks.data import to_unit
from train.reconstruction.config import CONFIGS, LossWeights
from train.reconstruction.data import ReconstructionBatches
from train.reconstruction.objective import Objective
from train.reconstruction.train import parse, start_from, train

SIDE = 64


def face_points(rng):
    """68 points with an iBUG face's rough layout, in a picture of 64 pixels."""
    points = rng.uniform(20, 44, (68, 2))
    for rows, center in ((slice(36, 42), (24, 28)), (slice(42, 48), (40, 28)), (slice(30, 31), (32, 36))):
        points[rows] = center
    points[48], points[54] = (26, 44), (38, 44)
    return points.astype(np.float32)


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    """Four rendered faces and four photos, each photo dark but for a bright spot on landmark 36."""
    root, rng = tmp_path_factory.mktemp("packs"), np.random.default_rng(0)
    for name in ("synthetic", "real"):
        (root / name).mkdir()
        np.save(root / name / "images.npy", rng.integers(0, 255, (4, SIDE, SIDE, 3), dtype=np.uint8))
    count = {"age": (), "gender": (), "identity": (80,), "expression": (52,), "landmarks": (68, 2), "lighting": (9, 3)}
    truth = {k: rng.uniform(0, 1, (4, *shape)).astype(np.float32) for k, shape in count.items()}
    truth["ancestry"] = rng.dirichlet((1, 1, 1), 4).astype(np.float32)
    truth["rotation"] = np.tile(np.eye(3, dtype=np.float32), (4, 1, 1))
    truth |= {"scale": np.full(4, 220, np.float32), "center": np.full((4, 2), 32, np.float32), "distance": np.ones(4, np.float32)}
    np.savez(root / "synthetic" / "labels.npz", **truth)
    labels = {
        "landmarks": np.stack([face_points(rng) for _ in range(4)]),
        "true": np.array([True, True, False, False]),
        "age": np.array([30, np.nan, 4, 80], np.float32),
        "gender": np.array([1, np.nan, 0, 1], np.float32),
        "ancestry": np.array([[1, 0, 0], [np.nan] * 3, [0, 1, 0], [0, 0, 1]], np.float32),
    }
    np.savez(root / "real" / "labels.npz", **labels)
    photos = np.zeros((4, SIDE, SIDE, 3), np.uint8)
    for photo, points in zip(photos, labels["landmarks"]):
        x, y = points[36].astype(int)
        photo[y - 1 : y + 2, x - 1 : x + 2] = 255
    np.save(root / "real" / "images.npy", photos)
    return root


def run(packs, output, *more):
    common = ["--synthetic", str(packs / "synthetic"), "--real", str(packs / "real"), "--config", "tiny"]
    return train(parse([*common, "--output", str(output), "--workers", "0", *more]))


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(packs, tmp_path):
    straight = load_file(run(packs, tmp_path / "straight"))
    run(packs, tmp_path / "broken", "--stop-at", "2")
    broken = load_file(run(packs, tmp_path / "broken", "--resume", "latest"))
    assert [p.name for p in whole_checkpoints(tmp_path / "broken")] == ["step_00000002", "step_00000006"]
    assert straight.keys() == broken.keys()
    assert all(torch.equal(straight[k], broken[k]) for k in straight)


def test_an_encoder_without_feedback_is_gone_on_with_unchanged(tmp_path):
    config, crops = CONFIGS["tiny"].encoder, torch.rand(2, 3, 64, 64)
    before = HeadEncoder(replace(config, feedback=None))
    after = HeadEncoder(config, HeadModel.from_pretrained())
    save_file(before.state_dict(), tmp_path / "before.safetensors")
    start_from(after, tmp_path / "before.safetensors")
    assert torch.allclose(before(crops).identity, after(crops).identity)
    save_file({k: v for k, v in before.state_dict().items() if "stem" not in k}, tmp_path / "other.safetensors")
    with pytest.raises(RuntimeError, match="trunk.stem"):
        start_from(after, tmp_path / "other.safetensors")


def test_landmarks_follow_the_photo_through_crop_and_mirror(packs, monkeypatch):
    monkeypatch.setattr("train.reconstruction.data.damage", lambda image, rng, strength: image)
    batches = ReconstructionBatches([packs / "synthetic"], packs / "real", CONFIGS["tiny"])
    mirrored = 0
    for seed in range(12):
        row = batches.photo(seed % 4, np.random.default_rng(seed))
        light = row["crops"].astype(float).sum(2)
        y, x = np.mgrid[:64, :64]
        spot = np.array([(light * x).sum(), (light * y).sum()]) / light.sum()
        pixels = (row["landmarks"] + 0.5) * 64 - 0.5
        distance = np.linalg.norm(pixels[[36, 45]] - spot, axis=1)
        assert distance.min() < 1.5
        mirrored += distance.argmin() == 1
    assert 0 < mirrored < 12


def test_a_batch_depends_on_seed_and_step_alone(packs):
    batches = ReconstructionBatches([packs / "synthetic"], packs / "real", CONFIGS["tiny"], seed=3)
    first, again, other = batches[5], batches[5], batches[6]
    assert torch.equal(first["crops"], again["crops"])
    assert not torch.equal(first["crops"], other["crops"])
    assert len(first["crops"]) == CONFIGS["tiny"].batch and len(first["identity"]) == CONFIGS["tiny"].synthetic


def test_folders_of_rendered_faces_join(packs):
    one, two = (ReconstructionBatches([packs / "synthetic"] * n, packs / "real", CONFIGS["tiny"]) for n in (1, 2))
    count = len(one.rendered)
    (first, again) = (two.render(i, np.random.default_rng(0)) for i in (1, count + 1))
    assert len(two.rendered) == len(two.turned) == 2 * count
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_heads_turned_aside_come_with_labels_that_are_believed(packs, tmp_path):
    config = replace(CONFIGS["tiny"], turned=3)
    np.save(tmp_path / "images.npy", np.full((2, SIDE, SIDE, 3), 77, np.uint8))
    np.savez(tmp_path / "labels.npz", landmarks=np.stack([face_points(np.random.default_rng(i)) for i in range(2)]))
    without = ReconstructionBatches([packs / "synthetic"], packs / "real", config)[0]
    batch = ReconstructionBatches([packs / "synthetic"], packs / "real", config, profiles=tmp_path)[0]
    n = len(batch["identity"])
    assert len(batch["crops"]) == len(without["crops"]) + 3 and not without["sure"].any()
    assert batch["sure"].tolist() == [1] * 3 + [0] * (len(batch["sure"]) - 3)
    assert batch["age"][n : n + 3].isnan().all() and not batch["age"][:n].isnan().any()

    head = HeadModel.from_pretrained()
    code = HeadEncoder(config.encoder, head)(to_unit(batch["crops"], torch.float32))
    c, s = np.cos(1.2), np.sin(1.2)
    code.rotation = torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]], dtype=torch.float32).expand(len(batch["crops"]), 3, 3)
    believed = Objective(head, config.weights)(code, batch)[1]["landmarks"]
    doubted = Objective(head, config.weights)(code, batch | {"sure": torch.zeros_like(batch["sure"])})[1]["landmarks"]
    assert doubted < 0.9 * believed


def test_the_truth_costs_less_than_any_other_head(packs):
    batches = ReconstructionBatches([packs / "synthetic"], packs / "real", CONFIGS["tiny"])
    batch, head = batches[0], HeadModel.from_pretrained()
    objective = Objective(head, LossWeights())
    torch.manual_seed(0)
    code = HeadEncoder(CONFIGS["tiny"].encoder, head)(to_unit(batch["crops"], torch.float32))
    before = objective(code, batch)[1]
    n = len(batch["identity"])
    for name in ("identity", "expression", "rotation", "scale", "age", "gender", "ancestry"):
        value = getattr(code, name).detach().clone()
        value[:n] = batch[name][:n]
        setattr(code, name, value)
    after = objective(code, batch)[1]
    for name in ("vertices", "shape", "rotation", "scale", "expression"):
        assert after[name] < 0.2 < before[name] * 100


def test_looks_are_held_to_where_the_anchors_are(packs):
    batch, head = ReconstructionBatches([packs / "synthetic"], packs / "real", CONFIGS["tiny"])[0], HeadModel.from_pretrained()
    encoder = HeadEncoder(CONFIGS["tiny"].encoder, head)
    objective, n = Objective(head, LossWeights(), encoder.anchors), len(batch["identity"])
    with torch.no_grad():
        code = encoder(to_unit(batch["crops"], torch.float32))
    camera = (batch[name] for name in ("rotation", "scale", "center", "inverse_distance"))
    truth = crop_points(encoder.anchors.place(*(batch[k][:n] for k in ("identity", "expression", "age", "gender", "ancestry"))), *camera)
    away = torch.tensor([0.03, -0.04])
    for look in code.looks:
        look.places[:n], look.offsets[:n] = truth + away, -away
    told = objective(code, batch)[1]
    assert told["places"] == pytest.approx(0.05, abs=1e-5) and told["offsets"] < 1e-5
    for look in code.looks:
        look.offsets[:n] = 0
    assert objective(code, batch)[1]["offsets"] == pytest.approx(0.05, abs=1e-5)


def test_heads_are_drawn_over_the_photos_whose_skin_was_marked(packs, tmp_path):
    config = replace(CONFIGS["tiny"], weights=LossWeights(photometric=1, likeness=1))
    with pytest.raises(SystemExit, match="train.reconstruction.masks"):
        ReconstructionBatches([packs / "synthetic"], packs / "real", config)
    np.save(packs / "real" / "skin.npy", np.full((4, SIDE, SIDE), 255, np.uint8))
    batch, head = ReconstructionBatches([packs / "synthetic"], packs / "real", config)[0], HeadModel.from_pretrained()
    assert batch["photos"].shape == (config.drawn, SIDE, SIDE, 3) and batch["skin"].shape == (config.drawn, SIDE, SIDE)
    encoder, objective = HeadEncoder(config.encoder, head), Objective(head, config.weights)
    loss, told = objective(encoder(to_unit(batch["crops"], torch.float32)), batch)
    loss.backward()
    assert told["photometric"] > 0 and told["likeness"] > 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


def test_labels_of_photos_seen_from_the_side_count_less_and_the_truth_of_renders_does_not(packs):
    batch, head = ReconstructionBatches([packs / "synthetic"], packs / "real", CONFIGS["tiny"])[0], HeadModel.from_pretrained()
    n, objective, profile = len(batch["identity"]), Objective(head, LossWeights()), torch.tensor([[0.1, 0, 1], [0, 1, 0], [-1, 0, 0.1]])
    pulls = []
    for rows in (slice(0, n), slice(n, None)):
        code = HeadEncoder(CONFIGS["tiny"].encoder, head)(to_unit(batch["crops"], torch.float32))
        before = objective(code, batch)[1]["landmarks"]
        code.rotation = code.rotation.clone()
        code.rotation[rows] = torch.linalg.qr(profile)[0]
        pulls.append(objective(code, batch)[1]["landmarks"] / before)
    assert pulls[1] < 0.6 < pulls[0]
