"""Second looks where a head was guessed to lie."""

from __future__ import annotations

import pytest
import torch

from facerecon.reconstruction.encoder import EncoderConfig, HeadEncoder
from facerecon.reconstruction.feedback import Anchors, Feedback, FeedbackConfig, sample, spread
from facerecon.reconstruction.trunk import TrunkConfig
from facerecon.types import FaceReconError

TINY = TrunkConfig(image_size=64, channels=(32, 32, 32, 32), blocks=(1, 1, 1, 1), reduced=32, features=64)
CONFIG = EncoderConfig(TINY, feedback=FeedbackConfig(anchors=12, local=4, width=32))


def test_anchors_cover_the_face_and_do_not_crowd(head):
    face = head.template.unflatten(0, (-1, 3))[torch.nonzero(head.masks["face"])[:, 0]]
    chosen = face[spread(face, 96)]
    apart = torch.cdist(chosen, chosen).fill_diagonal_(1).amin(1)
    assert apart.min() > 0.005
    assert torch.cdist(face, chosen).amin(1).max() <= apart.min() + 1e-6
    assert Anchors(head, 96).template.shape == (96, 3)


def test_maps_are_read_at_the_places_asked_for():
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    maps = torch.stack((columns, rows))[None]
    places = (torch.tensor([[[2.0, 5.0], [3.5, 1.25], [40.0, -3.0]]]) + 0.5) / 8 - 0.5
    assert torch.allclose(sample(maps, places), torch.tensor([[[2.0, 5.0], [3.5, 1.25], [7.0, 0.0]]]))


def test_it_learns_how_far_the_places_are_off():
    """Maps that say where the centre is; what is asked for is the way there from a wrong guess."""
    torch.manual_seed(0)
    config = FeedbackConfig(anchors=5, local=2, width=32)
    network = Feedback(config, channels=2, features=1, outputs=2)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    grid = torch.stack(torch.meshgrid(torch.linspace(-0.5, 0.5, 16), torch.linspace(-0.5, 0.5, 16), indexing="xy"))
    pattern = 0.2 * torch.randn(5, 2)

    def error(count: int) -> torch.Tensor:
        centre, guess = 0.2 * torch.randn(count, 2), 0.2 * torch.randn(count, 2)
        maps = grid - centre[:, :, None, None]
        more = network([maps], guess[:, None] + pattern, torch.zeros(count, 1), torch.zeros(count, 2))[0]
        return (guess + more - centre).square().mean()

    before = error(512).item()
    for _ in range(300):
        optimizer.zero_grad()
        error(64).backward()
        optimizer.step()
    assert error(512) < 0.1 * before


def test_an_encoder_looks_where_it_put_the_head_and_learns_from_it(head):
    torch.manual_seed(0)
    encoder, crops = HeadEncoder(CONFIG, head), torch.rand(2, 3, 64, 64)
    plain = HeadEncoder(EncoderConfig(TINY))
    plain.load_state_dict({k: v for k, v in encoder.state_dict().items() if not k.startswith("feedback.")})
    assert torch.equal(plain(crops).rotation, encoder(crops).rotation)  # nothing is corrected to begin with
    values = torch.zeros(1, encoder.out.out_features)
    centre = sum(list(encoder.sizes.values())[:3]) + 1  # identity, expression, rotation, then scale
    moved = values.clone()
    moved[0, centre] = 0.1
    assert torch.allclose(encoder._places(moved) - encoder._places(values), torch.tensor([0.1, 0.0]).expand(1, 12, 2), atol=1e-6)
    code = encoder(crops)
    assert code.features.shape == (2, 64 + 32 * 4 + 32)
    code.identity.square().sum().backward()
    assert encoder.feedback.out.weight.grad.abs().max() > 0


def test_feedback_asks_for_its_head():
    with pytest.raises(FaceReconError, match="which head"):
        HeadEncoder(CONFIG)
