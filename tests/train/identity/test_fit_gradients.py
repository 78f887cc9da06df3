"""The closed-form part: it ignores what varies within people, and joins a network without harm."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from facerecon.identity.gradients import histogram_length
from facerecon.identity.network import IdentityConfig, IdentityNetwork
from facerecon.identity.storage import load_network, save_network
from train.identity.fit_gradients import fit, join

TINY = IdentityConfig(image_size=32, channels=(8, 12, 16), blocks=(1, 1, 1), reduced=4, embedding=10)


def test_what_varies_within_people_is_ignored():
    generator = torch.Generator().manual_seed(0)
    person = torch.arange(60).repeat_interleave(6)
    signal = torch.randn(60, 8, generator=generator)[person]
    nuisance = torch.randn(360, 12, generator=generator) * 5  # far larger than what tells people apart
    rows = torch.cat((signal, nuisance), dim=1) @ torch.linalg.qr(torch.randn(20, 20, generator=generator))[0]
    weight, bias = fit(rows, person, components=20, shrinkage=0.01, length=6)
    unit = F.normalize(rows @ weight.T + bias, dim=1)
    cosines, same = unit @ unit.T, person[:, None] == person
    assert cosines[same].mean() > 0.9 > 0.3 > cosines[~same].mean()


def test_joined_networks_give_unit_vectors_of_both_parts(tmp_path):
    torch.manual_seed(0)
    network = IdentityNetwork(TINY).eval()
    weight, bias = torch.randn(6, histogram_length(32)) * 0.01, torch.zeros(6)
    save_network(join(network, weight, bias, 0.25), tmp_path / "joined.safetensors")
    joined, pictures = load_network(tmp_path / "joined.safetensors"), torch.rand(3, 3, 32, 32)
    out = joined(pictures)
    assert out.shape == (3, 16) and torch.allclose(out.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.allclose(out[:, 10:].square().sum(1), torch.full((3,), 0.25), atol=1e-4)
    assert torch.allclose(F.normalize(out[:, :10], dim=1), F.normalize(network(pictures), dim=1), atol=3e-2)
