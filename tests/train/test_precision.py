"""The optimizer behind every stage: it learns, and goes on with the same numbers."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from train.precision import MasterAdamW, to_bfloat16


def make(muon):
    torch.manual_seed(0)
    network = to_bfloat16(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1)))
    return network, MasterAdamW(network.parameters(), 5e-3, weight_decay=0.01, ema=0.9, muon=muon)


def steps(network, optimizer, first, last):
    losses = []
    for step in range(first, last):
        torch.manual_seed(step)
        x = torch.rand(4, 3, 16, 16).to(torch.bfloat16)
        loss = F.mse_loss(network(x).float(), 1 - x.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("muon", [False, True])
def test_it_learns(muon):
    losses = steps(*make(muon), 0, 40)
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("muon", [False, True])
def test_a_saved_state_goes_on_with_the_same_numbers(muon):
    network, optimizer = make(muon)
    steps(network, optimizer, 0, 6)
    straight = optimizer.averaged_state(network)
    network, optimizer = make(muon)
    steps(network, optimizer, 0, 3)
    state = optimizer.state_dict()
    other, resumed = make(muon)
    resumed.load_state_dict(state)
    steps(other, resumed, 3, 6)
    again = resumed.averaged_state(other)
    assert all(torch.equal(straight[k], again[k]) for k in straight)


def test_muon_and_adamw_move_differently():
    results = []
    for muon in (False, True):
        network, optimizer = make(muon)
        steps(network, optimizer, 0, 3)
        results.append(optimizer.averaged_state(network)["0.weight"])
    assert not torch.allclose(*results)


def test_gradients_that_are_not_finite_change_nothing():
    network, optimizer = make(True)
    before = [m.clone() for m in optimizer.masters]
    network[0].weight.grad = torch.full_like(network[0].weight, float("inf"))
    norm = optimizer.step()
    assert norm == float("inf") or norm != norm
    assert all(torch.equal(a, b) for a, b in zip(before, optimizer.masters))
