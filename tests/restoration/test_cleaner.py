"""The faithful half alone: harmless before training, any size, and able to learn."""

import torch

from facerecon.restoration.cleaner import Cleaner
from facerecon.restoration.configuration import CONFIGS


def test_an_untrained_cleaner_changes_nothing_at_any_size():
    network = Cleaner(CONFIGS["tiny"]).eval()
    image = torch.rand(1, 3, 2 * network.stride, 5 * network.stride)
    with torch.inference_mode():
        assert torch.equal(network(image), image)
        # What was good stays good: eight bits of a half-precision network would cost grey levels.
        assert torch.equal(network.to(torch.bfloat16)(image), image)


def test_it_learns_to_take_a_stain_away():
    torch.manual_seed(0)
    network = Cleaner(CONFIGS["tiny"])
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
    clean = torch.rand(4, 3, 1, 1).expand(4, 3, 32, 32)
    stained = clean + 0.2 * (torch.arange(32) % 2).float()
    before = (stained - clean).square().mean()
    for _ in range(80):
        optimizer.zero_grad()
        loss = (network(stained) - clean).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.2 * before


def test_what_is_found_small_guides_what_is_larger():
    network = Cleaner(CONFIGS["tiny"]).eval()
    for part in (network, network.coarse):
        torch.nn.init.constant_(part.to_pixels.bias, 0.1)
    seen = []
    network.register_forward_hook(lambda _, inputs, output: seen.append([x.mean().item() for x in (*inputs, output)]))
    with torch.inference_mode():
        result = network.coarse_to_fine(torch.full((1, 3, 64, 64), 0.3))
    expected = torch.tensor([[0.3, 0.4, 0.5], [0.3, 0.5, 0.6]])
    assert torch.allclose(torch.tensor(seen), expected, atol=1e-3) and torch.allclose(result, torch.full_like(result, 0.6), atol=1e-3)
