"""The network that finds 68 landmarks in a face crop, in two ways at once.

**By the whole**: all cells of the coarsest map, side by side, give all points together. That learns what faces look
like within minutes and copes with hidden parts.
**By votes**: every cell of a finer map says how far it is from a landmark and how much it is to be believed; the
landmark is the weighted mean. It is the heat map's expected position (Sun et al., "Integral Human Pose Regression",
ECCV 2018) with an offset in each cell (Jin et al., "Pixel-in-Pixel Net", IJCV 2021): local, and exact on a cheap grid.

The answer is a mixture of the two, learned for each point.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.layers import ResidualBlock

POINTS = 68
PATCH = 4  # pixels a side: a patch's colours are the first layer's channels
_PER_POINT = 4  # weight, offset across and down, spread
_USUAL_SPREAD = -4.0  # log of crop sides that training starts from


@dataclass(frozen=True)
class LandmarkerConfig:
    """Size of the network.

    Attributes:
        image_size: side of the crop, pixels; a multiple of 16.
        channels: at 1/4, 1/8 and 1/16 of the crop; multiples of 32 run fastest.
        blocks: residual blocks at 1/4, at 1/8 on the way down, at 1/16, and at 1/8 on the way back.
        reduced: channels kept of each cell of the coarsest map, where all points are found together.
        features: numbers that they are found from.
    """

    image_size: int = 112
    channels: tuple[int, int, int] = (64, 128, 128)
    blocks: tuple[int, int, int, int] = (2, 2, 1, 1)
    reduced: int = 32
    features: int = 160


@dataclass(frozen=True)
class Found:
    """What the network says; float32, lengths in crop sides.

    Attributes:
        landmarks: (B, 68, 2) from the crop's centre.
        log_spread: (B, 68), logarithm of the scale ``s`` of each point's error, whose density is ``exp(-d / s)``.
        by_whole, by_votes: (B, 68, 2), the two parts that ``landmarks`` mixes.
    """

    landmarks: Tensor
    log_spread: Tensor
    by_whole: Tensor
    by_votes: Tensor


class LandmarkerNetwork(nn.Module):
    """Crops to landmarks and how far off each of them is likely to be."""

    def __init__(self, config: LandmarkerConfig = LandmarkerConfig()) -> None:
        super().__init__()
        self.config = config
        fine, middle, coarse = config.channels
        self.stem = nn.Conv2d(3 * PATCH**2, fine, 3, padding=1)
        self.fine = nn.Sequential(*(ResidualBlock(fine) for _ in range(config.blocks[0])))
        self.shrink = nn.Conv2d(fine, middle, 3, stride=2, padding=1)
        self.down = nn.Sequential(*(ResidualBlock(middle) for _ in range(config.blocks[1])))
        self.shrink_again = nn.Conv2d(middle, coarse, 3, stride=2, padding=1)
        self.coarse = nn.Sequential(*(ResidualBlock(coarse) for _ in range(config.blocks[2])))
        self.reduce = nn.Conv2d(coarse, config.reduced, 1)
        self.gather = nn.Conv2d(config.reduced, config.features, config.image_size // 16)
        self.whole = nn.Linear(config.features, POINTS * 2)
        self.back = nn.Conv2d(coarse, middle, 1)
        self.up = nn.Sequential(*(ResidualBlock(middle) for _ in range(config.blocks[3])))
        self.votes = nn.Conv2d(middle, POINTS * _PER_POINT, 1)
        self.mixture = nn.Parameter(torch.zeros(POINTS))
        for layer in (self.stem, self.shrink, self.shrink_again):
            nn.init.kaiming_normal_(layer.weight)
        for layer in (self.whole, self.votes):
            nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(self.votes.bias)
        cells = config.image_size // 8
        axis = (torch.arange(cells) + 0.5) / cells - 0.5
        grid = torch.stack((axis.repeat(cells), axis.repeat_interleave(cells)))
        self.register_buffer("grid", grid, persistent=False)

    def forward(self, crops: Tensor) -> Found:
        """(B, 3, S, S) in [0, 1] to what is found there."""
        x = F.relu(self.stem(F.pixel_unshuffle((crops - 0.5) * 4, PATCH)))
        x = F.relu(self.shrink(self.fine(x)))
        x = self.down(x)
        wide = self.coarse(F.relu(self.shrink_again(x)))
        together = F.relu(self.gather(F.relu(self.reduce(wide)))).flatten(1)
        by_whole = self.whole(together).float().unflatten(1, (POINTS, 2))
        x = self.up(F.relu(x + F.interpolate(self.back(wide), scale_factor=2, mode="nearest")))
        votes = self.votes(x).float().flatten(2).unflatten(1, (_PER_POINT, POINTS))
        weights = votes[:, 0].softmax(-1)
        across, down = (((votes[:, 1 + k] + self.grid[k].float()) * weights).sum(-1) for k in range(2))
        by_votes = torch.stack((across, down), -1)
        share = self.mixture.float().sigmoid()[:, None]
        log_spread = (votes[:, 3] * weights).sum(-1) + _USUAL_SPREAD
        return Found(by_whole * share + by_votes * (1 - share), log_spread, by_whole, by_votes)
