"""Histograms of gradient directions: what a face looks like to nobody's training at all.

After Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005, at
three scales, with signed directions. A few thousand photos of people suffice to learn which
combinations tell people apart, where a deep network wants millions.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DIRECTIONS = 8
SCALES = ((1, 8), (2, 4), (4, 4))  # shrink the crop so many times, then cells of so many pixels
_GREY = (0.299, 0.587, 0.114)
_FLOOR = 0.03  # of a cell's length, in grey levels a pixel: flatter cells count for less


def histogram_length(size: int) -> int:
    """Numbers that :class:`GradientHistograms` gives for crops of ``size`` pixels."""
    return sum((size // shrink // cell) ** 2 for shrink, cell in SCALES) * DIRECTIONS


class GradientHistograms(nn.Module):
    """Crops to histograms; nothing in it is learned, and it is differentiable in the crops."""

    def forward(self, crops: Tensor) -> Tensor:
        """(B, 3, S, S) in [0, 1] to (B, histogram_length(S)) float32."""
        grey = (crops.float() * torch.tensor(_GREY, device=crops.device)[:, None, None]).sum(1, keepdim=True)
        parts = []
        for shrink, cell in SCALES:
            small = F.avg_pool2d(grey, shrink) if shrink > 1 else grey
            parts.append(_cells(small, cell).flatten(1))
        return torch.cat(parts, dim=1)


def _cells(grey: Tensor, cell: int) -> Tensor:
    """Root-normalised histograms (B, DIRECTIONS, H / cell, W / cell) of one scale."""
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    # A cosine lobe round each direction, sharpened, shares a gradient's length between its neighbours:
    # cos(difference)^4 * length. Opposite directions share all but the sign.
    scale = (across.square() + down.square() + 1e-8).pow(-0.375)
    angles = torch.arange(DIRECTIONS // 2, device=grey.device) * (2 * math.pi / DIRECTIONS)
    towards = (across * scale) * angles.cos()[:, None, None] + (down * scale) * angles.sin()[:, None, None]
    ahead, behind = F.relu(towards), F.relu(-towards)
    histogram = torch.cat([F.avg_pool2d(part.square().square(), cell) for part in (ahead, behind)], dim=1)
    around = F.avg_pool2d(histogram.square().sum(1, keepdim=True), 3, stride=1, padding=1, count_include_pad=False)
    return (histogram / (around.sqrt() + _FLOOR) + 1e-6).sqrt()


def mirrored_order(size: int) -> Tensor:
    """(N,) indices: ``histograms[:, mirrored_order(S)]`` are those of the mirrored crops, S a multiple of 16."""
    parts, begin = [], 0
    turned = (DIRECTIONS // 2 - torch.arange(DIRECTIONS)) % DIRECTIONS
    for shrink, cell in SCALES:
        side = size // shrink // cell
        index = torch.arange(DIRECTIONS * side**2).view(DIRECTIONS, side, side) + begin
        parts.append(index[turned].flip(2).flatten())
        begin += index.numel()
    return torch.cat(parts)
