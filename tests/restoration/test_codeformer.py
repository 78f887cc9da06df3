"""Codebook, code transformer and feature transforms on a tiny network."""

import pytest
import torch

from facerecon.restoration.autoencoder import CodebookAutoencoder
from facerecon.restoration.codebook import Codebook
from facerecon.restoration.codeformer import GUIDANCE, CodeFormer
from facerecon.restoration.conditioning import CONDITION_SIZE
from facerecon.restoration.configuration import CONFIGS, RestorationConfig


@pytest.fixture
def network():
    torch.manual_seed(0)
    net = CodeFormer(CONFIGS["tiny"]).eval()
    for p in net.parameters():  # identity-initialised layers would hide mistakes
        torch.nn.init.normal_(p, std=0.08)
    torch.nn.init.normal_(net.transformer.modulation.out.weight, std=0.5)
    return net


def test_quantised_features_are_codes_and_gradients_pass():
    torch.manual_seed(0)
    book = Codebook(8, 4).eval()
    x = torch.randn(2, 4, 3, 3, requires_grad=True)
    quantised, indices, commitment = book(x)
    assert torch.allclose(quantised.permute(0, 2, 3, 1), book.lookup(indices), atol=1e-6)
    quantised.square().sum().backward(retain_graph=True)
    assert commitment > 0 and torch.isfinite(x.grad).all() and x.grad.abs().sum() > 0


def test_unused_codes_are_restarted():
    torch.manual_seed(0)
    book = Codebook(32, 4).train()
    with torch.no_grad():
        book.codes[:] = torch.tensor([1.0, 0, 0, 0])
        book.sums[:] = book.codes
    for _ in range(200):
        book(torch.randn(4, 4, 6, 6))
    assert book.perplexity() > 16


def test_fidelity_zero_sees_only_the_codes(network):
    a, b = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    zero = torch.zeros(1, 1, 1, 1)
    codes = torch.randn(1, 8, network.config.grid, network.config.grid)
    with torch.no_grad():
        outputs = [network.decode(network.encoder(x)[0], codes, zero) for x in (a, b)]
        steered = [network.decode(network.encoder(x)[0], codes, zero + 1) for x in (a, b)]
    assert torch.allclose(outputs[0], outputs[1], atol=1e-5)
    assert not torch.allclose(steered[0], steered[1], atol=1e-3)


def test_fidelity_moves_smoothly(network):
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        outputs = torch.stack([network(x, w / 10) for w in range(11)])
    steps = (outputs[1:] - outputs[:-1]).abs().mean((1, 2, 3, 4))
    whole = (outputs[-1] - outputs[0]).abs().mean()
    assert steps.max() < 0.5 * whole


def test_fidelity_can_differ_within_a_batch(network):
    x = torch.rand(1, 3, 32, 32).repeat(2, 1, 1, 1)
    with torch.no_grad():
        both = network(x, torch.tensor([0.0, 1.0]))
        assert torch.allclose(both[0], network(x[:1], 0.0)[0], atol=1e-4)
        assert torch.allclose(both[1], network(x[:1], 1.0)[0], atol=1e-4)


def test_stage_one_weights_fit_the_whole_network():
    config = CONFIGS["tiny"]
    missing, unexpected = CodeFormer(config).load_state_dict(CodebookAutoencoder(config).state_dict(), strict=False)
    assert not unexpected and all(m.startswith(("transformer.", "transforms.", "cleaner.")) for m in missing)


def test_what_is_stated_changes_the_codes_and_nothing_stated_is_as_no_guide(network):
    features = torch.rand(2, 3, 32, 32)
    nobody, stated = torch.zeros(2, CONDITION_SIZE), torch.zeros(2, CONDITION_SIZE)
    stated[1, :2] = 1
    with torch.no_grad():
        plain, empty, guided = (network.predict_codes(features, c)[1] for c in (None, nobody, stated))
        aged = network.transformer(network.encoder(features)[0][-1], stated)
    assert torch.allclose(plain, empty) and torch.allclose(plain[0], guided[0])
    change, asked = guided[1] - plain[1], aged[1] - plain[1]
    assert asked.abs().max() > 1e-3 and torch.allclose(change, GUIDANCE * asked, atol=1e-3)


def test_config_survives_metadata():
    config = CONFIGS["paper"]
    assert RestorationConfig.from_dict({**config.to_dict(), "channels": list(config.channels)}) == config
