"""The losses prefer what the labels say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facerecon.demographics.network import AGES
from train.demographics.data import Labels
from train.demographics.evaluate import age_bin, calibration_error, worst
from train.demographics.objective import age_losses, losses


def peak(age: int, size: int = AGES) -> torch.Tensor:
    logits = torch.zeros(1, size)
    logits[0, age] = 12.0
    return logits


@pytest.mark.parametrize("interval", [(30.0, 31.0), (30.0, 40.0), (70.0, 100.0)])
def test_age_is_likeliest_inside_its_interval(interval: tuple[float, float]) -> None:
    truth = torch.tensor([interval])
    inside, missed = age_losses(peak(int(interval[0]) + (5 if interval[1] - interval[0] > 1 else 0)), truth)
    outside, years = age_losses(peak(15), truth)
    assert inside < outside - 1 and missed < 0.6 and years == pytest.approx(interval[0] - 15.5, abs=1.2)


def test_a_bin_does_not_say_where_inside_it_an_age_is() -> None:
    truth = torch.tensor([[20.0, 30.0]])
    assert abs(float(age_losses(peak(23), truth)[0] - age_losses(peak(27), truth)[0])) < 0.2


def labels(utkface: int, fairface: int) -> Labels:
    return Labels(torch.tensor([[-1.0, -1.0]]), torch.tensor([-1]), torch.tensor([utkface]), torch.tensor([fairface]))


def test_each_dataset_teaches_the_other_head() -> None:
    logits = {"age": torch.zeros(1, AGES), "gender": torch.zeros(1, 2)}
    logits |= {name: torch.zeros(1, size, requires_grad=True) for name, size in (("utkface", 5), ("fairface", 7))}
    losses(logits, labels(2, -1)).sum().backward()  # UTKFace's Asian: FairFace's East or Southeast Asian
    grown = logits["fairface"].grad[0] < 0
    assert grown.tolist() == [False, False, True, True, False, False, False]
    assert not logits["utkface"].grad.isnan().any()


def test_unknown_labels_teach_nothing() -> None:
    logits = {k: torch.zeros(1, n, requires_grad=True) for k, n in (("age", AGES), ("gender", 2), ("utkface", 5), ("fairface", 7))}
    loss = losses(logits, labels(-1, -1))
    assert loss.item() == 0.0


def test_calibration_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 20_000)
    honest = (rng.random(20_000) < confidence).astype(float)
    assert calibration_error(confidence, honest) < 1.5
    assert calibration_error(np.full(100, 0.95), np.tile([0.0, 1.0], 50)) == pytest.approx(45, abs=0.1)


def test_bins_and_the_worst_group() -> None:
    assert [age_bin(a) for a in (0, 2.9, 3, 69.9, 70, 99)] == [0, 0, 1, 7, 8, 8]
    groups = {"race A": {"faces": 50, "race_percent": 80.0}, "race B": {"faces": 50, "race_percent": 60.0}, "age C": {"faces": 2, "race_percent": 0.0}}
    assert worst(groups) == {"race_percent": "race B: 60.0"}
