"""Texture as strong as it is said to be, where it is said to be, and learned from what a cleaned face misses."""

import numpy as np
import torch

from facerecon.restoration.texture import DIRECTIONS, TEXTURE_CONFIGS, TextureNetwork, TextureSynthesis, band_filters, bands, draw


def test_bands_are_blind_to_flat_light():
    assert bands(torch.full((1, 1, 32, 32), 120.0)).abs().max() < 1e-2
    assert band_filters().square().sum((1, 2, 3)).allclose(torch.ones(len(band_filters())))


def test_what_is_drawn_has_the_strength_that_was_asked_for():
    asked = torch.full((1, len(band_filters()), 128, 128), 2.0)
    asked[..., 64:] = 0.5
    found = bands(draw(asked))
    strong, weak = (found[..., 8:-8, part].square().mean((0, 2, 3)).sqrt() for part in (slice(8, 56), slice(72, 120)))
    assert strong.allclose(torch.full_like(strong, 2.0), rtol=0.3)
    assert weak.allclose(torch.full_like(weak, 0.5), rtol=0.3)


def test_directions_are_kept():
    asked = torch.full((1, len(band_filters()), 96, 96), 0.2)
    asked[:, DIRECTIONS] = 3.0  # hairs that stand upright
    found = bands(draw(asked)).square().mean((0, 2, 3))
    assert found[DIRECTIONS] > 5 * found[DIRECTIONS + DIRECTIONS // 2]


def test_it_learns_where_detail_is_missing():
    torch.manual_seed(0)
    network = TextureNetwork(TEXTURE_CONFIGS["tiny"])
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    cleaned = torch.zeros(4, 3, 32, 32)
    cleaned[..., 16:] = 1.0  # bright is rough, dark is smooth
    strength = torch.where(cleaned[:, :1] > 0.5, 4.0, 0.5)
    for _ in range(60):
        missing = bands(torch.randn(4, 1, 32, 32)) * strength
        deviation = network(cleaned)
        loss = (2 * deviation.log() + (missing / deviation).square()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    dark, bright = deviation[..., 4:12].mean(), deviation[..., 20:28].mean()
    assert dark < 1.0 < 3.0 < bright


def test_a_crop_of_any_size_stays_that_crop():
    synthesis = TextureSynthesis(TextureNetwork(TEXTURE_CONFIGS["tiny"]))
    crop = np.full((37, 50, 3), 90, np.uint8)
    out = synthesis.add(crop)
    assert out.shape == crop.shape and abs(out.mean() - 90) < 0.5
    assert np.array_equal(out[..., 0], out[..., 1])  # grey grain: no coloured specks
    assert np.abs(synthesis.add(crop, 0.5).astype(int) - 90).mean() < np.abs(out.astype(int) - 90).mean()
