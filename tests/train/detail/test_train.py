"""The detail stage: made-up relief that is what it says, losses that pull the right way, a run that resumes exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from facerecon.reconstruction.detail_network import DetailNetwork
from facerecon.reconstruction.detail_surface import SIZE
from facerecon.rendering.shading import irradiance
from facerecon.types import FaceReconError
from train.detail import train as stage
from train.detail.config import CONFIGS, LossWeights
from train.detail.data import DetailBatches, Unwrapped
from train.detail.objective import Objective, give_relief, known_losses, photo_losses, random_light
from train.detail.wrinkles import Stroke, _draw, bank, relief

COUNT, CELLS = 4, 64
POINTS = np.stack([np.linspace(60, 190, 68), np.linspace(60, 190, 68)], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Faces of one colour with some noise, flat and turned to the camera, lit from the left."""
    place, rng = tmp_path_factory.mktemp("faces"), np.random.default_rng(0)
    np.save(place / "lab.npy", rng.integers(155, 157, (COUNT, SIZE, SIZE, 3), np.uint8))
    np.save(place / "weight.npy", np.full((COUNT, SIZE, SIZE), 255, np.uint8))
    maps = np.zeros((COUNT, 11, CELLS, CELLS), np.float16)
    maps[:, 2], maps[:, 3], maps[:, 7] = 1, 1, -1  # normal to the camera; u to the right, v down
    np.save(place / "maps.npy", maps)
    light = np.tile(np.array([3.0, 0, 1, -1, 0, 0, 0, 0, 0], np.float32), (COUNT, 1))
    names = np.array(["SCUT-FBP5500/a", "studio/b", "portraits/c", "UTKFace/70_d"])
    np.savez(place / "labels.npz", light=light, age=np.array([np.nan, np.nan, np.nan, 70.0]), name=names, points=POINTS)
    return place


def test_made_up_lamps_stand_before_the_face_and_no_side_is_black():
    light = random_light(np.random.default_rng(0), 64)[..., None].expand(-1, 9, 3)
    front, back = (irradiance(torch.tensor([0.0, 0.0, z]).expand(64, 1, 3), light) for z in (1.0, -1.0))
    assert float(front.min()) > 0.25 and float(back.min()) > 0.15 and front.mean() > 1.5 * back.mean()


def test_losses_follow_a_batch_to_its_device():
    # "meta" holds no numbers, but refuses to meet tensors of the CPU as a GPU does.
    def some(*shape: int) -> torch.Tensor:
        return torch.empty(shape, device="meta")

    faces = {"lab": some(2, 3, 64, 64), "weight": some(2, 1, 64, 64), "maps": some(2, 11, 16, 16), "light": some(2, 9)}
    seen, truth, weight = give_relief({**faces, "layers": some(2, 3, 64, 64)}, np.random.default_rng(0))
    found = DetailNetwork(CONFIGS["tiny"].network).to("meta")(seen)
    parts = {**known_losses(found, truth, weight), **photo_losses(found, faces)}
    assert {part.device.type for part in parts.values()} == {"meta"}


def test_wrinkles_deepen_where_the_skin_is_squeezed():
    layers = np.zeros((3, SIZE, SIZE), np.float32)
    _draw(layers, Stroke(np.stack([np.linspace(80, 160, 120), np.full(120, 100.0)], axis=1), 0.8, 1.5))
    assert layers[2, 100, 120] < -0.4 and not layers[:2].any()  # it lies across: squeezing along the face deepens it
    still = torch.full((1, 1, 1, 1), 0.5)
    strain = torch.zeros(1, 2, 16, 16)
    rest = relief(torch.from_numpy(layers)[None], strain, still)
    strain[:, 1] = -0.1
    raised = relief(torch.from_numpy(layers)[None], strain, still)
    strain[:, 1] = 0.1
    assert raised.min() < 1.5 * rest.min() and relief(torch.from_numpy(layers)[None], strain, still).abs().max() < 1e-6


def test_bank_is_varied_and_the_same_for_a_seed():
    made = bank(POINTS, 2, 0)
    assert made.shape == (2, 3, SIZE, SIZE) and np.array_equal(made, bank(POINTS, 2, 0)) and not np.array_equal(made[0], made[1])
    assert 0.02 < np.abs(made).astype(np.float32).max() < 5


def test_mirrored_faces_are_faces_of_the_mirrored_surface(folder):
    faces = Unwrapped.read(folder)
    plain, mirrored = (faces.take(np.arange(2), np.full(2, flag)) for flag in (False, True))
    assert torch.equal(plain["maps"][:, :9], mirrored["maps"][:, :9])  # a flat surface is its own mirror image
    assert torch.equal(plain["light"][:, 3], -mirrored["light"][:, 3]) and torch.equal(plain["light"][:, :3], mirrored["light"][:, :3])
    assert torch.equal(plain["lab"], mirrored["lab"].flip(-1))


def test_relief_is_seen_and_its_own_truth_has_no_loss(folder):
    batches = DetailBatches(folder, CONFIGS["tiny"])
    seen, truth, weight = give_relief(batches[0]["known"], np.random.default_rng(0))
    assert seen.shape[1] == 13 and seen.isfinite().all()
    losses = known_losses(truth * weight, truth, weight)
    assert all(value == 0 for value in losses.values()) and known_losses(0 * truth, truth, weight)["depth"] > 0.005


def test_a_groove_explains_a_dark_line(folder):
    faces = Unwrapped.read(folder).take(np.array([0]))
    faces["lab"][:] = 60
    faces["lab"][:, 1:] = 12
    groove = torch.zeros(1, 1, SIZE, SIZE)
    groove[..., 118:122, 60:200] = -0.5
    faces["lab"][:, :1] += 24 * groove
    empty, dug, raised = (photo_losses(d, faces)["photo"] for d in (0 * groove, groove, -groove))
    assert dug < 0.8 * empty < 0.8 * raised


def test_network_learns_something_in_a_few_steps(folder):
    torch.manual_seed(0)
    config = CONFIGS["tiny"]
    batches, network = DetailBatches(folder, config), DetailNetwork(config.network)
    objective, optimizer = Objective(LossWeights(photo=0, still=0, rough=0)), torch.optim.Adam(network.parameters(), 2e-3)
    batch, totals = batches[0], []
    for _ in range(30):
        total, _ = objective(network, batch, 0)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    assert totals[-1] < 0.97 * totals[0]


def test_a_resumed_run_ends_with_the_same_weights(folder, tmp_path):
    common = ["--data", str(folder), "--config", "tiny", "--log-every", "100"]
    whole = load_file(stage.train(stage.parse([*common, "--output", str(tmp_path / "whole")])))
    stage.train(stage.parse([*common, "--output", str(tmp_path / "parts"), "--stop-at", "2"]))
    parts = load_file(stage.train(stage.parse([*common, "--output", str(tmp_path / "parts"), "--resume", "latest"])))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_missing_faces_are_one_sentence(tmp_path):
    with pytest.raises(FaceReconError, match="train.detail.prepare"):
        Unwrapped.read(tmp_path)
