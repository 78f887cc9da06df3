"""Training goes on after a kill with the same numbers, and what it makes can be shipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facerecon.demographics.estimator import DemographicsEstimator
from facerecon.types import FaceReconError
from tests.fakes import make_photo
from tests.train.launching import place_of_batches
from train.demographics import train as trainer
from train.demographics.calibrate import held_out_logits
from train.demographics.data import Batches, Faces, central
from train.demographics.export import export
from train.demographics.objective import losses
from train.demographics.prepare import FIELDS, STORED
from train.demographics.train import parse, train
from train.landmarks.data import to_unit


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng, n = tmp_path_factory.mktemp("faces"), np.random.default_rng(0), 60
    fairface = np.arange(n) % 2 == 1
    young = np.where(fairface, rng.choice([0, 20, 70], n), rng.integers(0, 110, n)).astype(float)
    columns = {
        "youngest": young,
        "oldest": np.where(fairface, young + 10, young + 1),
        "male": rng.integers(0, 2, n),
        "utkface_race": np.where(fairface, -1, rng.integers(0, 5, n)),
        "fairface_race": np.where(fairface, rng.integers(0, 7, n), -1),
        "disagreement": np.where(np.arange(n) < 3, 0.5, 0.01),
        "fairface": fairface,
    }
    assert tuple(columns) == FIELDS
    np.savez(folder / "labels.npz", **columns)
    np.save(folder / "images.npy", rng.integers(0, 255, (n, STORED, STORED, 3), dtype=np.uint8))
    return folder


def run(data: Path, output: Path, *more: str) -> dict[str, torch.Tensor]:
    arguments = ["--config", "tiny", "--data", str(data), "--output", str(output), "--workers", "0", *more]
    train(parse(arguments))
    return torch.load(output / "demographics.pt", weights_only=False)["weights"]


def test_a_resumed_run_equals_a_straight_one(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.demographics.train.STATISTICS_BATCHES", 2)
    torch.set_num_threads(1)
    straight = run(data, tmp_path / "a")
    run(data, tmp_path / "d", "--stop-at", "2")
    stopped = run(data, tmp_path / "d", "--resume", "latest")
    monkeypatch.setattr("train.demographics.train.averaged_network", stop)
    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path / "b", "--save-seconds", "0")
    monkeypatch.undo()
    monkeypatch.setattr("train.demographics.train.STATISTICS_BATCHES", 2)
    whole = sorted((tmp_path / "b").glob("step_*"))
    resumed = run(data, tmp_path / "c", "--resume", str(whole[0]))
    assert whole[0].name == "step_00000003"
    for name, value in straight.items():
        torch.testing.assert_close(value, resumed[name], atol=0, rtol=0)
        torch.testing.assert_close(value, stopped[name], atol=0, rtol=0)
    with pytest.raises(FaceReconError, match="earlier run"):
        run(data, tmp_path / "a")


def test_the_last_fifth_of_a_run_is_not_mixed(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.demographics.train.STATISTICS_BATCHES", 2)
    mixed, asked = trainer.mixed_loss, []
    monkeypatch.setattr(trainer, "mixed_loss", lambda *given: asked.append(given[-1]) or mixed(*given))
    run(data, tmp_path, "--steps", "5", "--mixup", "0.7")
    assert asked == [0.7] * 4 + [0.0]


def test_processes_draw_faces_of_their_own(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.demographics.train.STATISTICS_BATCHES", 2)
    assert place_of_batches(trainer, lambda: run(data, tmp_path)) == (1, 3)


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_export_loads_and_predicts(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.demographics.train.STATISTICS_BATCHES", 2)
    run(data, tmp_path / "run", "--steps", "1")
    facts = export(tmp_path / "run", Faces([data]), tmp_path / "weights")
    assert set(facts["temperatures"]) == {"age", "gender", "utkface", "fairface"}
    (estimate,) = DemographicsEstimator.from_pretrained("cpu", tmp_path / "weights").predict(
        [make_photo()], [None]
    )
    assert sum(estimate.race.values()) == pytest.approx(1, abs=1e-3)


def test_losses_are_found_where_the_batch_lies(data: Path) -> None:
    # "meta" holds no numbers, but refuses to meet tensors of the CPU as a GPU does.
    labels = Faces([data]).labels[torch.arange(3)].to("meta")
    sizes = {"age": 101, "gender": 2, "utkface": 5, "fairface": 7}
    assert losses({head: torch.empty(3, size, device="meta") for head, size in sizes.items()}, labels).is_meta


def test_what_is_calibrated_is_the_mean_over_a_face_and_its_mirror_image(data: Path) -> None:
    class LeftBrightness(torch.nn.Module):
        """Its only logit is the mean of the left half."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, crops: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"age": crops[..., : crops.shape[3] // 2].mean((1, 2, 3))[:, None]}

    faces = Faces([data])
    logits, labels = held_out_logits(LeftBrightness(), faces)
    held_out = faces.held_out()
    crops = to_unit(central(faces.images[held_out]), torch.float32)
    assert len(labels.age) == held_out.sum()
    torch.testing.assert_close(logits["age"][:, 0], crops.mean((1, 2, 3)), atol=1e-5, rtol=0)


def test_badly_aligned_and_held_out_faces_are_not_trained_on(data: Path) -> None:
    faces = Faces([data])
    assert len(faces) == 57
    batches = Batches(faces, 256, 0, 0.5)
    drawn = torch.cat([batches[step][1] for step in range(2)]).numpy()
    assert not set(drawn) & set(np.flatnonzero(faces.held_out()))
    assert abs(faces.is_fairface[drawn].mean() - 0.5) < 0.05
    assert torch.equal(batches[1][0], Batches(faces, 256, 0, 0.5)[1][0])


def test_no_face_that_is_sure_is_said(data: Path) -> None:
    with pytest.raises(FaceReconError, match="no face on whose landmarks"):
        Faces([data], most=0.0)
