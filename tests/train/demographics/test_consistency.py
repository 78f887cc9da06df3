"""The consistency loss pulls a picture toward the other's demographics."""

from __future__ import annotations

import torch

from facerecon.demographics.network import DemographicsNetwork, NetworkConfig
from train.demographics.consistency import consistency_loss


def test_following_its_gradient_lowers_it() -> None:
    torch.manual_seed(0)
    network = DemographicsNetwork(NetworkConfig(image_size=32, channels=(8, 16, 16), blocks=(1, 1, 1))).eval()
    torch.nn.init.normal_(network.out.weight, std=2.0)
    truth, made = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32, requires_grad=True)
    assert consistency_loss(network, truth, truth).item() < 1e-5
    first = consistency_loss(network, made, truth)
    first.backward()
    with torch.no_grad():
        made -= 0.05 * made.grad / made.grad.abs().max()
    assert 0 < consistency_loss(network, made, truth).item() < first.item()
