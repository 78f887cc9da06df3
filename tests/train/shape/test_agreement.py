"""Shapes judged by the groups of people they look like."""

from __future__ import annotations

import pytest
import torch

from facerecon.head import HeadModel
from facerecon.reconstruction.metric_shape import ShapeCode
from train.shape.agreement import ShapeJudge, groups_of
from train.shape.consistency import draw_people
from train.shape.space import ShapeSpace


@pytest.fixture(scope="module")
def judge() -> ShapeJudge:
    return ShapeJudge(ShapeSpace(HeadModel.from_pretrained()), people=3000)


def test_true_shapes_agree_and_those_of_others_do_not(judge):
    code = draw_people(200, 80, seed=8)
    right = judge.agreement(code, code.age, code.gender, code.ancestry)
    assert right["gender_percent"] > 93 and right["ancestry_percent"] > 93 and right["age_percent"] > 75
    wrong = judge.agreement(code, code.age, 1 - code.gender, code.ancestry.roll(1, 1))
    assert wrong["gender_percent"] < 7 and wrong["ancestry_percent"] < 7


def test_unknown_and_mixed_people_are_not_counted(judge):
    nan = torch.nan
    age, gender = torch.tensor([nan, 17.0, 30.0, 61.0]), torch.tensor([0.5, nan, 0.0, 1.0])
    ancestry = torch.tensor([[0.4, 0.3, 0.3], [nan] * 3, [0.0, 1.0, 0.0], [0.7, 0.3, 0.0]])
    groups = groups_of(age, gender, ancestry)
    assert groups["age"].tolist() == [-1, 0, 1, 2] and groups["gender"].tolist() == [-1, -1, 0, 1]
    assert groups["ancestry"].tolist() == [-1, -1, 1, 0]
    someone = ShapeCode(torch.zeros(4, 80), torch.full((4,), 30.0), torch.zeros(4), torch.tensor([[0.0, 1.0, 0.0]] * 4))
    assert "gender_percent" not in judge.agreement(someone, age, torch.full((4,), nan), ancestry)
