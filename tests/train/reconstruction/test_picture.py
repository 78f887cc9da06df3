"""The head's picture: a photo of the head itself costs nothing, any other pose, light or person costs more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facerecon.head import HeadModel
from facerecon.reconstruction.encoder import EVEN_LIGHT, HeadCode
from train.reconstruction.picture import Portraitist, frozen_judge, likeness_loss, photometric_loss

SIDE = 80


@pytest.fixture(scope="module")
def head():
    return HeadModel.from_pretrained()


@pytest.fixture(scope="module")
def portraitist(head):
    return Portraitist(head, SIDE)


@pytest.fixture(scope="module")
def code(head):
    """A head seen from the front in light from the upper left."""
    light = torch.zeros(1, 9, 3)
    light[:, 0], light[:, 1], light[:, 3] = 0.6 * EVEN_LIGHT, 0.6, -1.0
    one = torch.ones(1)
    return HeadCode(
        identity=torch.zeros(1, len(head.identity_labels)), expression=torch.zeros(1, len(head.expression_labels)),
        rotation=torch.eye(3)[None], scale=one * 4.0, center=torch.tensor([[0.0, 0.05]]), inverse_distance=one * 0.8, lighting=light,
        age=one * 30, gender=one * 0.5, ancestry=torch.full((1, 3), 1 / 3), logits={}, features=torch.zeros(1, 4),
    )  # fmt: skip


def drawn(portraitist, code, photo=None, skin=1.0):
    photo = torch.full((1, 3, SIDE, SIDE), 0.4) if photo is None else photo
    vertices = portraitist.head.vertices(code.identity, code.expression, portraitist.head.encode_demographics(code.age, code.gender, code.ancestry))
    return portraitist.draw(code, vertices, photo, torch.full((1, 1, SIDE, SIDE), skin))


def test_a_photo_of_the_head_itself_costs_nothing_and_another_pose_or_light_more(portraitist, code):
    photo = drawn(portraitist, code).drawn
    costs = lambda other: photometric_loss(drawn(portraitist, other, photo)).item()  # noqa: E731
    own = costs(code)
    assert own < 1e-3
    assert costs(replace(code, center=code.center + 0.03)) > 5 * own
    assert costs(replace(code, lighting=code.lighting * torch.tensor([1, 1, 1, -1, 1, 1, 1, 1, 1.0])[:, None])) > 5 * own


def test_its_gradient_brings_a_shifted_head_back(portraitist, code):
    photo = drawn(portraitist, code).drawn
    for sign in (-1, 1):
        shifted = (code.center + torch.tensor([[0.02 * sign, 0.0]])).requires_grad_()
        photometric_loss(drawn(portraitist, replace(code, center=shifted), photo)).sum().backward()
        assert shifted.grad[0, 0] * sign > 0


def test_a_darker_skin_is_no_difference(portraitist, code):
    photo = drawn(portraitist, code).drawn
    darker = ((photo.clamp_min(0.01) ** 2.2) * torch.tensor([0.5, 0.45, 0.4])[:, None, None]) ** (1 / 2.2)
    assert photometric_loss(drawn(portraitist, code, darker)).item() < 5e-3
    assert drawn(portraitist, code, darker).drawn.mean() < photo.mean()


def test_a_photo_without_skin_costs_nothing_and_moves_nothing(portraitist, code):
    center = code.center.clone().requires_grad_()
    loss = photometric_loss(drawn(portraitist, replace(code, center=center), skin=0.0)).sum()
    loss.backward()
    assert loss.item() == 0 and center.grad.abs().max() == 0


def test_the_embedding_takes_the_head_for_itself_rather_than_another(portraitist, code, head):
    photo, judge = drawn(portraitist, code).drawn, frozen_judge(torch.device("cpu"))
    vertices = head.vertices(code.identity, code.expression, head.encode_demographics(code.age, code.gender, code.ancestry))
    landmarks = code.project(head.landmarks(vertices, code.yaw)).numpy()
    other = code.identity.clone()
    other[:, :8] = torch.from_numpy(np.random.default_rng(0).choice([-2.0, 2.0], 8)).float()
    other.requires_grad_()
    own, others = (likeness_loss(judge, drawn(portraitist, c, photo), photo, landmarks)[0] for c in (code, replace(code, identity=other)))
    assert own.item() < 0.02 and others.item() > own.item() + 0.02
    others.backward()
    assert other.grad.abs().sum() > 0
