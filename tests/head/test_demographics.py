"""Age, gender and ancestry as weights of the mean."""

from __future__ import annotations

import pytest
import torch

from facerecon.demographics import RACES
from facerecon.head import HeadModel
from facerecon.types import Demographics


def mean_of(head: HeadModel, age: torch.Tensor) -> torch.Tensor:
    even = torch.full((len(age), 3), 1 / 3)
    return head.vertices(demographics=head.encode_demographics(age, torch.full((len(age),), 0.5), even))


def test_unknown_is_the_average(head: HeadModel) -> None:
    unknown = head.vertices(demographics=head.demographic_weights([Demographics()]))[0]
    people = [Demographics(35, gender, race) for gender in ("female", "male") for race in ("African", "Asian", "Caucasian")]
    everyone = head.vertices(demographics=head.demographic_weights(people)).mean(0)
    # The lids are the one part that is not linear.
    assert torch.allclose(unknown[head.masks["lips"]], everyone[head.masks["lips"]], atol=1e-6)


def test_weights_sum_to_one_at_every_age(head: HeadModel) -> None:
    age = torch.linspace(-5, 105, 300)
    weights = head.encode_demographics(age, torch.rand(300), torch.eye(3)[torch.arange(300) % 3])
    assert torch.allclose(weights.sum(1), torch.ones(300), atol=1e-5)


def test_the_mean_is_smooth_in_age(head: HeadModel) -> None:
    step = 0.25
    points = mean_of(head, torch.arange(0, 100, step))[:, head.masks["face"]]
    speed = points.diff(dim=0).norm(dim=-1).amax(1) / step
    assert speed[8:].max() < 0.009 and speed.max() < 0.03  # metres a year; infants grow fast
    assert speed.diff().abs()[8:].max() < 0.003


def test_gender_and_ancestry_change_the_face(head: HeadModel) -> None:
    people = [Demographics(30, "female", "Asian"), Demographics(30, "male", "Asian"), Demographics(30, "male", "African")]
    face = head.vertices(demographics=head.demographic_weights(people))[:, head.masks["face"]]
    assert (face[0] - face[1]).norm(dim=-1).mean() > 1e-3
    assert (face[1] - face[2]).norm(dim=-1).mean() > 1e-3


@pytest.mark.parametrize("race", [race for race in RACES if race not in ("Mixed", "Unknown")])
def test_every_race_of_the_page_moves_the_mean(head: HeadModel, race: str) -> None:
    weights = head.demographic_weights([Demographics(race=race), Demographics()])
    assert torch.allclose(weights.sum(1), torch.ones(2), atol=1e-5)
    assert (weights[0] - weights[1]).abs().max() > 0.05
