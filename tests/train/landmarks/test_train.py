from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from facerecon.faces.align import template_points
from facerecon.faces.landmark_network import Found
from facerecon.faces.landmarker import FaceLandmarker, Landmarks
from facerecon.types import FaceReconError
from tests.train.launching import in_two_processes
from train.checkpointing import whole_checkpoints
from train.landmarks import train as trainer
from train.landmarks.config import CONFIGS
from train.landmarks.data import Crops, LandmarkBatches, Photos, empty_pictures
from train.landmarks.evaluate import report, true_boxes, turn_of
from train.landmarks.export import export
from train.landmarks.objective import distance_and_spread
from train.precision import MasterAdamW


def landmarks(size: int) -> np.ndarray:
    five = template_points(size, "head").astype(np.float32)
    points = np.tile(five[2], (68, 1))
    points[36:42], points[42:48], points[48], points[54] = five[0], five[1], five[3], five[4]
    return points


@pytest.fixture
def packs(tmp_path):
    """A folder of photos with a table, one of stored crops half of whose labels are true, one of portraits."""
    rng = np.random.default_rng(0)
    photos, crops, portraits = (tmp_path / name for name in ("photos", "crops", "portraits"))
    for folder in (photos, crops, portraits):
        folder.mkdir()
    with open(photos / "landmarks68.csv", "w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["file", *(f"{axis}{i}" for i in range(68) for axis in "xy")])
        for k in range(2):
            cv2.imwrite(str(photos / f"{k}.webp"), rng.integers(0, 255, (60, 60, 3), dtype=np.uint8))
            writer.writerow([f"{k}.webp", *landmarks(60).ravel()])
    np.save(crops / "images.npy", rng.integers(0, 255, (4, 60, 60, 3), dtype=np.uint8))
    np.savez(
        crops / "labels.npz", landmarks=np.stack([landmarks(60)] * 4), true=np.array([True, True, False, False]),
        disagreement=np.array([0, 0, 0.01, 0.2]),
    )  # fmt: skip
    cv2.imwrite(str(portraits / "a.webp"), rng.integers(0, 255, (64, 48, 3), dtype=np.uint8))
    return photos, crops, portraits


def test_a_photo_that_the_table_alone_knows_is_said(packs):
    (packs[0] / "1.webp").unlink()
    with pytest.raises(FaceReconError, match="1.webp is not there, or is no picture"):
        Photos(packs[0])


def test_stored_crops_are_chosen_by_who_labelled_them(packs):
    _, crops, _ = packs
    assert len(Crops(crops, "true").images) == 2
    assert len(Crops(crops, "seen").images) == 2
    assert len(Crops(crops, "seen", most=0.05).images) == 1


def test_heads_seen_from_the_side_are_drawn_more_often_or_never(packs):
    _, crops, _ = packs
    ahead = landmarks(60)
    ahead[1:4], ahead[13:16] = ahead[30] - (20, 0), ahead[30] + (20, 0)
    aside = ahead.copy()
    aside[13:16] = aside[30] + (1, 0)  # the far side of the jaw beside the nose
    np.savez(crops / "labels.npz", landmarks=np.stack([ahead, ahead, aside, aside]))
    rng = np.random.default_rng(0)

    def share(times):
        source = Crops(crops, aside=times)
        return np.mean([source.draw(rng) >= 2 for _ in range(600)])

    assert abs(share(1) - 0.5) < 0.08 and abs(share(4) - 0.8) < 0.07
    assert share(0) == 0


def test_a_constant_shift_is_taken_out_of_true_labels(packs):
    photos, _, _ = packs
    moved = Photos(photos, shift=(2.0, -1.0)).landmarks[0] - Photos(photos).landmarks[0]
    assert np.allclose(moved, (-2, 1))


def test_a_batch_depends_on_seed_and_step_alone(packs):
    sources = [Photos(packs[0]), Crops(packs[1])]
    first, again, other = (LandmarkBatches(sources, 32, 6, seed, degraded=0.5) for seed in (0, 0, 1))
    assert torch.equal(first[3][0], again[3][0]) and torch.equal(first[3][1], again[3][1])
    assert not torch.equal(first[3][0], other[3][0]) and not torch.equal(first[3][0], first[4][0])


def test_shares_move_from_the_first_source_to_the_second(packs):
    dark, light = Photos(packs[0]), Photos(packs[0])
    dark.landmarks = [points * 0 + landmarks(60) for points in dark.landmarks]
    light.landmarks = [landmarks(60) + 300 for _ in light.landmarks]  # both look alike once aligned: told apart by call
    batches = LandmarkBatches([dark, light], 32, 64, shares=((1, 0), (0, 1)), steps=10)
    drawn = []
    batches._draw = lambda source, rng: drawn.append(source is light) or (np.zeros((32, 32, 3), np.uint8), landmarks(32))
    for step in (0, 5, 10):
        batches[step]
    first, middle, last = (np.mean(drawn[i : i + 64]) for i in (0, 64, 128))
    assert first == 0 and 0.2 < middle < 0.8 and last == 1


def test_pictures_without_a_face_have_no_landmarks(packs):
    empty = empty_pictures([packs[2]], 32)
    assert empty.shape == (4, 32, 32, 3)
    _, truth = LandmarkBatches([Photos(packs[0])], 32, 4, empty=empty, empty_share=1.0)[0]
    assert torch.isnan(truth).all()


def test_what_was_taken_for_a_face_is_seen_around_its_middle_and_has_no_landmarks(packs, monkeypatch):
    _, crops, _ = packs
    images = np.zeros((1, 60, 60, 3), np.uint8)
    images[0, 25:35, 25:35] = 255
    np.save(crops / "images.npy", images)
    np.savez(crops / "labels.npz", landmarks=np.full((1, 68, 2), np.nan, np.float32))
    monkeypatch.setattr("train.landmarks.data.damage", lambda image, rng: image)
    pictures, truth = LandmarkBatches([Crops(crops)], 32, 16)[0]
    assert torch.isnan(truth).all()
    weight = pictures[..., 0].double() / pictures[..., 0].double().sum((1, 2), keepdim=True)
    rows = (weight.sum(2) * torch.arange(32)).sum(1)
    assert abs(float(rows.mean()) - 15.5) < 2 and float(rows.std()) > 0.3


def test_candidates_take_the_share_that_is_asked_for(packs):
    photos, crops, _ = packs
    args = trainer.parse(
        ["landmarker", "--photos", str(photos), "--crops", str(crops), "--renders", str(crops), "--candidates", str(crops)]
        + ["--candidate-share", "0.25"]
    )
    shares = trainer.read_batches(args, CONFIGS["tiny"], 32, "head").shares
    assert shares.shape == (2, 5) and np.allclose(shares[:, -1] / shares.sum(1), 0.25)


def test_shares_change_over_the_batches_of_all_processes(packs):
    args = trainer.parse(["landmarker", "--photos", str(packs[0])])
    alone, three = (trainer.read_batches(args, CONFIGS["tiny"], 32, "head", processes) for processes in (1, 3))
    assert three.steps == 3 * alone.steps == 3 * CONFIGS["tiny"].steps


def found(points: torch.Tensor, log_spread: float = -4.0) -> Found:
    points = points.clone().requires_grad_()
    return Found(points, torch.full(points.shape[:2], log_spread, requires_grad=True), points, points)


def test_the_spread_learns_the_error_and_leaves_the_positions_alone():
    truth = torch.zeros(3, 68, 2)
    truth[2] = torch.nan  # no face
    off = torch.full((3, 68, 2), 0.05)
    small, large = found(off, -6.0), found(off, -1.0)
    for said in (small, large):
        loss, parts = distance_and_spread(said, truth)
        loss.backward()
        assert float(parts["distance"]) == pytest.approx(0.05 * 2**0.5 - 0.003, abs=1e-3)
        assert (said.landmarks.grad[2] == 0).all() and (said.landmarks.grad[:2] != 0).all()
    assert (small.log_spread.grad < 0).all() and (large.log_spread.grad > 0).all()
    assert torch.allclose(small.landmarks.grad, large.landmarks.grad)


def options(packs, output, *more):
    photos, crops, portraits = (str(pack) for pack in packs)
    sources = ["--photos", photos, "--crops", crops, "--renders", crops, crops, "--empty", portraits, "--candidates", crops]
    return ["landmarker", "--config", "tiny", *sources, "--workers", "0", "--muon", "--lr", "2e-3", "--output", str(output), *more]


def run(packs, output, *more):
    return load_file(trainer.train(trainer.parse(options(packs, output, *more))))


def test_a_run_can_be_stopped_and_ends_in_a_network_that_ships(packs, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    straight = run(packs, whole)
    run(packs, broken, "--stop-at", "2")
    resumed = run(packs, broken, "--resume", "latest")
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)
    with pytest.raises(FaceReconError, match="earlier run"):
        run(packs, broken)
    path = export(whole / "landmarks.safetensors", tmp_path / "shipped", CONFIGS["tiny"].landmarker)
    assert path.stat().st_size < 0.6 * (whole / "landmarks.safetensors").stat().st_size
    assert FaceLandmarker.from_pretrained("cpu", path).size == 32


def test_the_clock_ends_a_run(packs, tmp_path):
    run(packs, tmp_path / "run", "--steps", "100000", "--minutes", "0.01")
    assert 0 < int(whole_checkpoints(tmp_path / "run")[-1].name.removeprefix("step_")) < 100_000


def test_the_labeller_resumes_as_well(packs, tmp_path):
    def label(output, *more):
        given = ["labeller", "--config", "tiny", "--photos", str(packs[0]), "--workers", "0", "--output", str(tmp_path / output), *more]
        return load_file(trainer.train(trainer.parse(given)))

    straight = label("straight")
    label("broken", "--stop-at", "1")
    resumed = label("broken", "--resume", "latest")
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def train_in_one_of_two(rank, packs, folder):
    """What one of two processes drew and what it has learned; the same once more, stopped and resumed."""
    drawn, kept = [], []

    def watched(found, truth):
        drawn.append(truth)
        return distance_and_spread(found, truth)

    class Kept(MasterAdamW):
        def __init__(self, *args, **named):
            super().__init__(*args, **named)
            kept.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "distance_and_spread", watched)
        patch.setattr(trainer, "MasterAdamW", Kept)
        for output, more in (("straight", []), ("broken", ["--stop-at", "2"]), ("broken", ["--resume", "latest"])):
            trainer.train(trainer.parse(options(packs, folder / output, "--minutes", "1000", *more)))
    torch.save({"weights": kept[0].masters, "resumed": kept[2].masters, "drawn": drawn[:4]}, folder / f"{rank}.pt")


def test_two_processes_learn_one_network_from_different_crops(packs, tmp_path):
    in_two_processes(train_in_one_of_two, packs, tmp_path)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    for mine, other, resumed in zip(first["weights"], second["weights"], first["resumed"], strict=True):
        assert torch.equal(mine, other) and torch.allclose(mine, resumed, atol=1e-6)
    assert not any(torch.equal(mine, other) for mine, other in zip(first["drawn"], second["drawn"], strict=True))
    assert len(list((tmp_path / "straight" / "events").iterdir())) == 1  # one of them writes


def test_errors_are_reported_with_and_without_the_labels_shift():
    truth = np.stack([landmarks(100)] * 3) + np.random.default_rng(0).normal(0, 3, (3, 68, 2))
    noise = np.random.default_rng(1).normal(0, 0.1, truth.shape)
    seen = Landmarks(truth - (2.0, 0.0) + noise, np.full((3, 68), 2.0) + np.arange(3)[:, None], np.ones(3))
    numbers = report(seen, truth, np.array([2.0, 0.0]))
    assert 0 < numbers["shift_out_percent"] < 0.5
    assert numbers["mean_percent"] > 1


def test_boxes_reach_above_the_brows_and_turned_noses_are_noticed():
    truth = landmarks(100)[None].copy()
    truth[:, 1:4], truth[:, 13:16] = (20, 60), (80, 60)
    box = true_boxes(truth)[0]
    assert box[1] < truth[0, :, 1].min() and box[3] == truth[0, :, 1].max()
    truth[:, 30] = (50, 60)
    assert turn_of(truth)[0] == pytest.approx(0)
    truth[:, 30] = (71, 60)
    assert 40 < turn_of(truth)[0] < 50
