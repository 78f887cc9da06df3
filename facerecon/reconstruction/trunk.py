"""The convolutional trunk that the head encoder and the landmark labeller share."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.layers import ResidualBlock


@dataclass(frozen=True)
class TrunkConfig:
    """Size of a trunk.

    Attributes:
        image_size: side of the input crop, pixels; a multiple of 32.
        channels: of the four stages, at 1/4, 1/8, 1/16 and 1/32 of the input; multiples of 32 run fastest.
        blocks: residual blocks of each stage.
        reduced: channels kept of each cell of the last stage.
        features: length of the feature vector.
    """

    image_size: int = 128
    channels: tuple[int, ...] = (64, 128, 256, 320)
    blocks: tuple[int, ...] = (2, 3, 2, 1)
    reduced: int = 64
    features: int = 512


class ResidualTrunk(nn.Module):
    """From a crop to a feature vector that still knows where things are.

    The cells of the last stage are laid side by side, not averaged: landmarks are positions.
    """

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.config = config
        stem = config.channels[0] // 2
        self.stem = nn.Conv2d(12, stem, 3, padding=1)  # 12 channels: each 2 x 2 square of RGB
        stages, previous = [], stem
        for channels, blocks in zip(config.channels, config.blocks, strict=True):
            shrink = nn.Conv2d(previous, channels, 3, stride=2, padding=1)
            nn.init.kaiming_normal_(shrink.weight)
            stages += [shrink, nn.ReLU(), *(ResidualBlock(channels) for _ in range(blocks))]
            previous = channels
        self.stages = nn.Sequential(*stages)
        self.reduce = nn.Conv2d(previous, config.reduced, 1)
        cells = (config.image_size // 32) ** 2
        self.project = nn.Linear(config.reduced * cells, config.features)

    def forward(self, crops: Tensor) -> Tensor:
        """(B, 3, S, S) in [0, 1] to (B, features)."""
        return self.read(self.cells(crops))

    def cells(self, crops: Tensor) -> Tensor:
        """The last maps side by side, (B, reduced * cells), of crops (B, 3, S, S) in [0, 1]."""
        return self.lay(self.maps(crops)[-1])

    def maps(self, crops: Tensor) -> list[Tensor]:
        """What each stage gives of crops (B, 3, S, S) in [0, 1], at 1/4, 1/8, 1/16 and 1/32 of their size."""
        x, maps, layers = F.relu(self.stem(F.pixel_unshuffle((crops - 0.5) * 4, 2))), [], iter(self.stages)
        for blocks in self.config.blocks:
            for layer in islice(layers, blocks + 2):  # they begin with a convolution that shrinks, and its ReLU
                x = layer(x)
            maps.append(x)
        return maps

    def lay(self, last: Tensor) -> Tensor:
        """(B, reduced * cells) of the last of the :meth:`maps`."""
        return F.relu(self.reduce(last)).flatten(1)

    def read(self, cells: Tensor) -> Tensor:
        """(B, features) from what :meth:`cells` gives."""
        return F.relu(self.project(cells))
