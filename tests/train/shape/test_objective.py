"""What a shape's loss is told and where it looks for landmarks."""

from __future__ import annotations

import pytest
import torch

from facerecon.head import HeadModel
from facerecon.reconstruction.camera import crop_points
from tests.train.shape.test_train import code
from train.shape.config import CONFIGS
from train.shape.objective import Objective


@pytest.fixture(scope="module")
def objective() -> Objective:
    return Objective(HeadModel.from_pretrained(), CONFIGS["tiny"].weights)


def test_each_thing_told_is_the_one_that_was_to_be_told(objective):
    rows = {"told": torch.eye(3, dtype=torch.bool), "true_age": torch.full((3,), 40.0), "true_gender": torch.ones(3), "true_ancestry": torch.eye(3)}
    stated = objective._stated(rows)
    assert [value.isnan().flatten(1).any(1).tolist() if value.dim() > 1 else value.isnan().tolist() for value in stated] == [
        [i != j for j in range(3)] for i in range(3)
    ]


def test_true_shapes_of_turned_heads_lose_nothing_at_their_landmarks(objective):
    head, person, yaw = objective.head, code(2, 4), torch.tensor([0.7, -0.5])
    c, s, none = yaw.cos(), yaw.sin(), torch.zeros(2)
    rotation = torch.stack((c, none, s, none, none + 1, none, -s, none, c), 1).view(2, 3, 3)
    rows = {
        "rotation": rotation, "expression": torch.zeros(2, 52), "scale": torch.full((2,), 4.7), "center": torch.zeros(2, 2),
        "inverse_distance": torch.full((2,), 0.8), "true_age": person.age, "true_gender": person.gender, "true_ancestry": person.ancestry,
    }
    with torch.no_grad():
        shape = head.vertices(person.identity, None, head.encode_demographics(person.age, person.gender, person.ancestry))
        points = head.landmarks(shape, yaw)
    rows["landmarks"] = crop_points(points, *(rows[k] for k in ("rotation", "scale", "center", "inverse_distance")))
    nothing = (torch.full((2,), torch.nan), torch.full((2,), torch.nan), torch.full((2, 3), torch.nan))
    loss = objective._photos(person, rows, nothing)["landmarks"].item()
    assert loss < 1e-4
