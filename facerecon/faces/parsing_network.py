"""The network that says what each pixel of a face crop shows.

A U-Net (Ronneberger et al., MICCAI 2015) of residual blocks, skips added. The first level works on squares of two
pixels, so that the rims of glasses are still there; the coarsest, 8 cells a side, sees the whole crop. The classes
are those of face parsing (Lee et al., "MaskGAN" with CelebAMask-HQ, CVPR 2020), joined to what the rest of the
house asks about.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.faces.masks import CLASSES
from facerecon.layers import ResidualBlock

PATCH = 2  # pixels a side: a patch's colours are the first layer's channels


@dataclass(frozen=True)
class ParserConfig:
    """Size of the network.

    Attributes:
        image_size: side of the crop, pixels; a multiple of 16.
        channels: at 1/2, 1/4, 1/8 and 1/16 of the crop; multiples of 32 run fastest.
        blocks: residual blocks of each level going down; the same going up, but for the coarsest.
    """

    image_size: int = 128
    channels: tuple[int, ...] = (32, 64, 64, 64)
    blocks: tuple[int, ...] = (1, 1, 1, 1)


class ParserNetwork(nn.Module):
    """Crops to the logits of :data:`CLASSES` for every pixel."""

    def __init__(self, config: ParserConfig = ParserConfig()) -> None:
        super().__init__()
        self.config = config
        widths = config.channels
        self.stem = nn.Conv2d(3 * PATCH**2, widths[0], 3, padding=1)
        self.enter = nn.ModuleList(_stack(c, n) for c, n in zip(widths, config.blocks, strict=True))
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(widths, widths[1:]))
        self.ups = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in zip(widths, widths[1:]))
        self.leave = nn.ModuleList(_stack(c, n) for c, n in zip(widths[:-1], config.blocks))
        self.to_pixels = nn.Conv2d(widths[0], len(CLASSES) * PATCH**2, 3, padding=1)
        for layer in (self.stem, *self.downs):
            nn.init.kaiming_normal_(layer.weight)
        nn.init.normal_(self.to_pixels.weight, std=0.01)
        nn.init.zeros_(self.to_pixels.bias)

    def forward(self, crops: Tensor) -> Tensor:
        """(B, 3, S, S) in [0, 1] to logits (B, 6, S, S) float32."""
        x = F.relu(self.stem(F.pixel_unshuffle((crops - 0.5) * 4, PATCH)))
        seen = []
        for level, down in zip(self.enter, self.downs):
            seen.append(level(x))
            x = F.relu(down(seen[-1]))
        x = self.enter[-1](x)
        for i in reversed(range(len(self.ups))):
            wide = F.interpolate(self.ups[i](x), scale_factor=2, mode="nearest")
            x = self.leave[i](F.relu(wide + seen[i]))
        return F.pixel_shuffle(self.to_pixels(x), PATCH).float()


def _stack(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))
