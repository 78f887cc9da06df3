"""What a shape says of a person, and the loss that holds shapes to it."""

from __future__ import annotations

import pytest
import torch

from facerecon.head import HeadModel
from facerecon.reconstruction.metric_shape import ShapeCode
from train.shape.consistency import ShapeReader, draw_people, others_like, traits_of
from train.shape.space import ShapeSpace


@pytest.fixture(scope="module")
def reader() -> ShapeReader:
    return ShapeReader(ShapeSpace(HeadModel.from_pretrained()), people=1500)


def test_shapes_of_people_never_seen_are_read(reader):
    code = draw_people(300, 80, seed=5)
    found, truth = reader(code), traits_of(code)
    clear = (truth[:, 1] - 0.5).abs() > 0.45
    assert ((found[:, 1] > 0.5) == (truth[:, 1] > 0.5))[clear].float().mean() > 0.95
    assert (found[:, 2:].argmax(1) == truth[:, 2:].argmax(1)).float().mean() > 0.85
    assert (found[:, 0] - truth[:, 0]).abs().mean() < 12


def test_an_identity_that_undoes_the_mean_is_seen_and_mended(reader):
    man = ShapeCode(torch.zeros(1, 80), torch.tensor([40.0]), torch.ones(1), torch.tensor([[0.0, 0.0, 1.0]]))
    direction = torch.autograd.grad(reader(with_identity(man, zeros := torch.zeros(1, 80, requires_grad=True)))[0, 1], zeros)[0]
    undone = with_identity(man, -3 * direction / direction.abs().max()).identity.requires_grad_()
    before = reader.consistency(with_identity(man, undone), man)
    assert reader.consistency(man, man).item() < 1e-6 < before.item()
    (slope,) = torch.autograd.grad(before.sum(), undone)
    assert reader.consistency(with_identity(man, undone - 0.01 * slope / slope.norm()), man) < before


def with_identity(code: ShapeCode, identity: torch.Tensor) -> ShapeCode:
    return ShapeCode(identity, code.age, code.gender, code.ancestry)


def test_others_share_what_is_stated_and_nothing_else(reader):
    code = draw_people(400, 80, seed=6)
    other = others_like(code)
    assert torch.equal(other.age, code.age) and (other.identity - code.identity).abs().mean() > 0.5
    assert (reader(other) - traits_of(code)).mean(0)[1].abs() < 0.05
