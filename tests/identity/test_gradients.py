"""Histograms of gradient directions: where edges point, mirrored ones, gradients to the picture."""

from __future__ import annotations

import torch

from facerecon.identity.gradients import DIRECTIONS, GradientHistograms, histogram_length, mirrored_order


def test_an_edge_is_filed_under_its_direction():
    picture = torch.linspace(0, 1, 32).expand(1, 3, 32, 32)  # brighter to the right: direction 0
    cells = GradientHistograms()(picture)[0, : 16 * DIRECTIONS].view(DIRECTIONS, 16)
    assert (cells.mean(1).argmax() == 0) and cells[0].min() > 2 * cells[2].max()
    down = GradientHistograms()(picture.transpose(2, 3))[0, : 16 * DIRECTIONS].view(DIRECTIONS, 16)
    assert down.mean(1).argmax() == DIRECTIONS // 4


def test_mirroring_is_a_change_of_order():
    pictures = torch.rand(2, 3, 48, 48)
    module = GradientHistograms()
    plain, mirrored = module(pictures), module(pictures.flip(3))
    assert plain.shape == (2, histogram_length(48))
    assert torch.allclose(plain[:, mirrored_order(48)], mirrored, atol=1e-5)


def test_brightness_hardly_matters_and_flat_pictures_are_fine():
    picture = torch.rand(1, 3, 32, 32) * 0.5
    module = GradientHistograms()
    assert (module(picture) - module(picture + 0.4)).abs().max() < 1e-3
    flat = torch.full((1, 3, 32, 32), 0.5, requires_grad=True)
    module(flat).sum().backward()
    assert flat.grad.isfinite().all()
