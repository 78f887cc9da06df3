from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from facerecon.reconstruction.encoder import EncoderConfig, HeadEncoder, soft_unit
from facerecon.reconstruction.feedback import FeedbackConfig
from facerecon.reconstruction.losses import demographics_loss, landmark_loss
from facerecon.reconstruction.trunk import TrunkConfig

CONFIG = EncoderConfig(TrunkConfig(image_size=64, channels=(32, 32, 32, 32), blocks=(1, 1, 1, 1), reduced=32, features=64))


def test_a_new_encoder_sees_an_average_head_from_the_front():
    torch.manual_seed(0)
    code = HeadEncoder(CONFIG)(torch.rand(3, 3, 64, 64))
    assert torch.allclose(code.rotation, torch.eye(3).expand(3, 3, 3), atol=0.3)
    assert code.identity.abs().max() < 0.5
    assert (code.inverse_distance > 1 / 3).all() and (code.inverse_distance < 1 / 0.3).all()
    corners = code.project(torch.tensor([[[0.05, 0.05, 0.0], [-0.05, -0.05, 0.0]]]).expand(3, -1, -1))
    assert (corners[:, 0, 0] > corners[:, 1, 0]).all()  # the head's left is the picture's right
    assert (corners[:, 0, 1] < corners[:, 1, 1]).all()  # up is up


@pytest.mark.parametrize("feedback", [None, FeedbackConfig(anchors=8)])
def test_the_configuration_survives_its_json(feedback):
    config = replace(CONFIG, feedback=feedback)
    assert EncoderConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_the_configuration_of_an_encoder_without_feedback_is_still_read():
    before = {name: value for name, value in CONFIG.to_dict().items() if name != "feedback"}
    assert EncoderConfig.from_dict(before) == CONFIG


def test_expressions_stay_near_the_unit_interval_and_gradients_return_from_outside():
    values = torch.tensor([-3.0, 0.3, 4.0], requires_grad=True)
    bounded = soft_unit(values)
    bounded.sum().backward()
    assert (bounded > -0.06).all() and (bounded < 1.06).all()
    assert (values.grad[1:2] == 1).all() and values.grad[0] > 0


def test_closed_eyes_cost_where_the_truth_is_open():
    truth = torch.rand(1, 68, 2, generator=torch.Generator().manual_seed(0))
    shifted = truth + 0.01
    closed = truth.clone()
    closed[:, [41, 40, 47, 46]] = closed[:, [37, 38, 43, 44]]
    moved_elsewhere = truth.clone()
    moved_elsewhere[:, [0, 1, 2, 3]] += closed[:, [41, 40, 47, 46]] - truth[:, [41, 40, 47, 46]]
    assert landmark_loss(truth, truth) == 0
    assert landmark_loss(shifted, truth) > 0
    assert landmark_loss(closed, truth) > 1.5 * landmark_loss(moved_elsewhere, truth)


def test_unknown_demographics_cost_nothing():
    code = HeadEncoder(CONFIG)(torch.rand(2, 3, 64, 64))
    unknown = torch.full((2,), float("nan"))
    parts = demographics_loss(code, unknown, unknown, unknown[:, None].expand(2, 3))
    assert all(float(v.detach()) == 0 for v in parts.values())
    known = demographics_loss(code, torch.tensor([5.0, float("nan")]), unknown, unknown[:, None].expand(2, 3))
    assert known["age"] > 0
