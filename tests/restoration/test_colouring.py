"""Colouring: luma stays, any size goes, and colours can be learned."""

import numpy as np
import torch

from facerecon.restoration import colouring
from facerecon.restoration.colour import luma_chroma
from facerecon.restoration.colouring import COLOUR_CONFIGS, Colouriser, ColourNetwork
from facerecon.types import Face


def orange(luma):
    """Chroma of a warm tone everywhere."""
    return torch.cat([torch.full_like(luma, -0.05), torch.full_like(luma, 0.08)], 1)


def test_luma_is_kept_and_chroma_is_the_networks():
    colouriser = Colouriser(ColourNetwork(COLOUR_CONFIGS["tiny"]))
    grey = np.repeat(np.random.default_rng(0).integers(40, 200, (61, 83, 1), dtype=np.uint8), 3, 2)
    face = Face(np.array([10, 10, 50, 60], np.float32), np.zeros((5, 2), np.float32), 1.0)
    assert np.array_equal(colouriser.colour(grey, [face]), grey)  # an untrained network knows no colours
    colouriser.network.forward = orange
    coloured = luma_chroma(colouriser.colour(grey, [face]))
    assert np.abs(coloured[..., 0] - grey[..., 0]).max() < 1.5
    assert coloured[35, 30, 1] < -8 and coloured[35, 30, 2] > 14
    small = Face(np.array([0, 0, 12, 12], np.float32), np.zeros((5, 2), np.float32), 1.0)
    far = luma_chroma(colouriser.colour(grey, [small]))
    assert 0 < far[60, 80, 2] < 0.5 * far[6, 6, 2]  # less is known of what lies far from faces


def test_colours_fade_from_the_nearest_face_to_a_share_of_them():
    faces = [Face(np.array([x, 40, x + 20, 60], np.float32), np.zeros((5, 2), np.float32), 1.0) for x in (40, 440)]
    share = colouring._closeness(100, 900, faces)[50]
    assert share[50] == share[450] == 1 and np.allclose(share[[250, 899]], colouring.FAR_SHARE)
    assert (np.diff(share[50:200]) <= 0).all() and colouring.FAR_SHARE < share[50 + round(10 * (colouring.NEAR + colouring.FAR))] < 1


def test_large_photos_are_coloured_small():
    colouriser, seen = Colouriser(ColourNetwork(COLOUR_CONFIGS["tiny"])), []
    colouriser.network.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0].shape))
    colouriser.colour(np.zeros((900, 1800, 3), np.uint8), [])
    assert max(seen[0]) <= 648
