"""Fine detail: none at full fidelity, none before training, and the same every time."""

import pytest
import torch

from facerecon.restoration.configuration import CONFIGS
from facerecon.restoration.finisher import Finisher


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Finisher(CONFIGS["tiny"]).eval()


def test_an_untrained_finisher_changes_nothing(network):
    image = torch.rand(2, 3, 32, 48)
    with torch.inference_mode():
        assert torch.equal(network(image), image)


def test_it_works_from_noise_that_is_always_the_same_and_less_the_higher_the_fidelity(network):
    torch.nn.init.normal_(network.to_pixels.weight, std=0.1)
    image = torch.full((1, 3, 320, 272), 0.5)  # larger than the noise, which repeats
    with torch.inference_mode():
        whole, again = network(image), network(image)
        parts = [network.finish(image, torch.full((1, 1, 1, 1), w)) - image for w in (0.0, 0.5, 0.75, 1.0)]
        other = network(image, torch.randn(1, 1, 320, 272))
    assert torch.equal(whole, again) and not torch.allclose(whole, other)
    assert whole[0, 0, :64, :64].std() > 1e-3  # an even picture gets grain
    torch.testing.assert_close(parts[0], whole - image)
    torch.testing.assert_close(parts[1], parts[0])
    torch.testing.assert_close(parts[2], parts[0] / 2)
    assert parts[3].abs().max() == 0
