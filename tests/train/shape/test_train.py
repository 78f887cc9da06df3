"""The metric shape stage: distances that are what they say, losses with gradients, a run that resumes exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from facerecon.head import HeadModel
from facerecon.metrics.geometry import vertex_errors
from facerecon.reconstruction.metric_shape import MetricShape, ShapeCode
from facerecon.types import FaceReconError
from train.shape import train as stage
from train.shape.config import CONFIGS
from train.shape.data import ShapeBatches
from train.shape.evaluate import KEPT, agreement_benchmark, modes_benchmark, rendered_benchmark
from train.shape.objective import Objective, best_similarity, with_stated
from train.shape.space import LandmarkPoints, ShapeSpace

COUNT, FEATURES, EMBEDDING = 12, 24, 8


@pytest.fixture(scope="module")
def head():
    return HeadModel.from_pretrained()


def people(count: int, rng: np.random.Generator, prefix: str = "") -> dict[str, np.ndarray]:
    values = {
        "identity": rng.normal(0, 1, (count, 80)).clip(-2.5, 2.5), "age": rng.uniform(5, 80, count),
        "gender": rng.random(count), "ancestry": rng.dirichlet((1, 1, 1), count),
    }  # fmt: skip
    return {prefix + k: v.astype(np.float32) for k, v in values.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, head) -> Path:
    """All parts that the stage reads, of random people whose features say nothing."""
    place, rng = tmp_path_factory.mktemp("shape"), np.random.default_rng(0)

    def seen() -> dict[str, np.ndarray]:
        eye = np.tile(np.eye(3, dtype=np.float32), (COUNT, 1, 1))
        return {
            **people(COUNT, rng), "embedding": rng.normal(size=(COUNT, EMBEDDING)).astype(np.float32),
            "features": rng.normal(size=(COUNT, FEATURES)).astype(np.float16), "rotation": eye,
            "expression": np.zeros((COUNT, 52), np.float32), "scale": np.full(COUNT, 4.7, np.float32),
            "center": np.zeros((COUNT, 2), np.float32), "inverse_distance": np.full(COUNT, 0.8, np.float32), "encoder": np.array("abc"),
        }  # fmt: skip

    np.savez(place / "rendered.npz", **seen(), **people(COUNT, rng, "true_"), row=np.arange(COUNT) % (COUNT // 2))
    unknown = {**people(COUNT, rng, "true_"), "true_age": np.full(COUNT, np.nan, np.float32)}
    unknown.pop("true_identity")
    np.savez(place / "photos.npz", **seen(), **unknown, landmarks=rng.normal(0, 0.2, (COUNT, 68, 2)).astype(np.float32), true=np.ones(COUNT, bool))
    np.savez(place / "people.npz", **seen(), person=np.arange(COUNT) // 3, found=np.arange(COUNT) != 0)
    np.savez(place / "scans.npz", **seen(), coefficients=rng.normal(0, 0.5, (COUNT, len(head.shape_basis))).astype(np.float32), subject=np.arange(COUNT))
    return place


def code(count: int, seed: int) -> ShapeCode:
    return ShapeCode(**{k: torch.from_numpy(v) for k, v in people(count, np.random.default_rng(seed)).items()})


def test_distances_in_the_space_are_those_of_vertices(head):
    space, first, second = ShapeSpace(head), code(3, 1), code(3, 2)
    found = space.apart_mm(space.coordinates(first), space.coordinates(second))
    with torch.no_grad():
        a, b = (head.vertices(c.identity, None, head.encode_demographics(c.age, c.gender, c.ancestry)).numpy() for c in (first, second))
    mask = head.masks["face"].numpy()
    truth = [1000 * np.sqrt((vertex_errors(x, y, mask, "rigid") ** 2).mean()) for x, y in zip(a, b)]
    assert np.allclose(found.numpy(), truth, rtol=0.08)
    assert (space.apart_mm(space.coordinates(first), space.coordinates(first)) < 0.01).all()
    assert (space.turned_degrees(space.coordinates(first), space.coordinates(second)) > 1).all()


def test_landmarks_need_no_whole_head(head):
    person, yaw = code(4, 5), torch.tensor([-0.9, 0.0, 0.4, 1.1])
    weights = head.encode_demographics(person.age, person.gender, person.ancestry)
    expression = torch.rand(4, 52, generator=torch.Generator().manual_seed(0)) * 0.3
    with torch.no_grad():
        whole = head.landmarks(head.vertices(person.identity, expression, weights), yaw)
        found = LandmarkPoints(head)(ShapeSpace(head).coordinates(person), weights, expression, yaw)
    assert (found - whole).norm(dim=-1).mean() < 1e-4


def test_a_new_pose_is_not_counted_against_a_shape():
    points = torch.randn(2, 68, 2, generator=torch.Generator().manual_seed(0))
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]])
    assert torch.allclose(best_similarity(points, 1.3 * points @ turn + 2), 1.3 * points @ turn + 2, atol=1e-4)


def test_stated_values_stand_and_unknown_ones_do_not():
    person, nan = code(2, 3), torch.nan
    told = with_stated(person, (torch.tensor([7.0, nan]), torch.tensor([nan, 1.0]), torch.tensor([[nan] * 3, [1.0, 0, 0]])))
    assert told.age[0] == 7 and told.age[1] == person.age[1] and told.gender[1] == 1
    assert torch.equal(told.ancestry[0], person.ancestry[0]) and told.ancestry[1, 0] == 1


def test_every_loss_is_there_and_teaches(head, folder):
    config = CONFIGS["tiny"]
    batches = ShapeBatches(folder, config)
    assert batches.sizes == (EMBEDDING, FEATURES) and batches.encoder == "abc"
    batch = batches[3]
    pairs = batch["people"]["person"]
    assert torch.equal(pairs[0::2], pairs[1::2]) and len(batch["scans"]["age"]) == 2
    assert torch.equal(batches[3]["rendered"]["features"], batch["rendered"]["features"])
    network = MetricShape(stage.replace(config.network, embedding=EMBEDDING, features=FEATURES))
    objective = Objective(head, stage.replace(config.weights, consistency=0.1))
    total, logs = objective(network, batch)
    total.backward()
    assert set(logs) == set(objective.weights) and all(np.isfinite(v) for v in logs.values())
    assert network.out.weight.grad.abs().sum() > 0


def test_shrinking_all_shapes_gains_nothing(head, folder):
    objective, rows = Objective(head, CONFIGS["tiny"].weights), ShapeBatches(folder, CONFIGS["tiny"])[0]["people"]
    identity = 0.2 * torch.randn(4, 80, generator=torch.Generator().manual_seed(0))  # within what tells people apart
    person = ShapeCode(identity, *(torch.full(shape, value) for shape, value in (((4,), 30.0), ((4,), 0.5), ((4, 3), 1 / 3))))
    small = ShapeCode(person.identity * 0.1, person.age, person.gender, person.ancestry)
    before, after = (objective._people(c, rows, None)["people"] for c in (person, small))
    assert torch.allclose(before, after, rtol=1e-3)


def run(folder: Path, output: Path, *extra: str) -> dict[str, torch.Tensor]:
    stage.train(stage.parse(["--data", str(folder), "--config", "tiny", "--output", str(output), *extra]))
    return load_file(output / "shape.safetensors")


def test_a_resumed_run_is_the_same_run(folder, tmp_path, head):
    whole = run(folder, tmp_path / "a")
    run(folder, tmp_path / "b", "--stop-at", "3")
    resumed = run(folder, tmp_path / "b", "--resume", "latest")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert whole["out.weight"].abs().sum() > 0
    network = MetricShape.from_pretrained(tmp_path / "a" / "shape.safetensors")
    assert network.config.encoder == "abc"
    found = rendered_benchmark(network, folder / "rendered.npz", head, surfaces=1)
    assert set(found) == {"as_drawn", "told", "damaged"} and found["as_drawn"]["metric_mm"] >= found["as_drawn"]["scale_free_mm"] > 0


def test_without_features_there_is_one_clear_sentence(tmp_path):
    with pytest.raises(FaceReconError, match="prepare"):
        ShapeBatches(tmp_path, CONFIGS["tiny"])


def test_modes_left_out_cost_nothing_once_all_are_there(folder, head):
    found = modes_benchmark(None, folder / "rendered.npz", head)
    best = [found[str(kept)]["at_best_mm"] for kept in KEPT]
    assert best == sorted(best, reverse=True) and best[0] > 1 and best[-1] < 0.01
    assert found["80"]["told_mm"] < found["80"]["found_mm"]


def test_stated_demographics_bring_agreement(folder, head):
    found = agreement_benchmark(None, folder, head)
    assert set(found) == {"rendered", "rendered_told", "rendered_truth"}
    assert found["rendered_told"]["ancestry_percent"] > found["rendered"].get("ancestry_percent", 0)
