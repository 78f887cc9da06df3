"""The U-Net that the cleaner and the colouring network are.

Residual, without normalisation, skips added: after Zhang et al., "Plug-and-Play Image Restoration with
Deep Denoiser Prior" (DRUNet), TPAMI 2021. The first level works on squares of pixels, not on pixels.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.restoration.blocks import conv3


class PlainBlock(nn.Module):
    """``x + conv(relu(conv(x)))``; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = conv3(channels, channels), conv3(channels, channels)
        nn.init.kaiming_normal_(self.first.weight)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> same
        return x + self.second(F.relu(self.first(x), inplace=True))


class ResidualUNet(nn.Module):
    """Maps to maps of the same size, all zero before training.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        patch: side of the squares of pixels that the first level sees as one.
        widths: channels of the levels, from the finest, each half the size of the one before.
        blocks: residual blocks of each level, going down; the same going up, but for the coarsest.
    """

    def __init__(self, inputs: int, outputs: int, patch: int, widths: tuple[int, ...], blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.patch = patch
        self.stem = conv3(inputs * patch**2, widths[0])
        self.enter = nn.ModuleList(_stack(c, n) for c, n in zip(widths, blocks, strict=True))
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in zip(widths, widths[1:]))
        self.ups = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in zip(widths, widths[1:]))
        self.leave = nn.ModuleList(_stack(c, n) for c, n in zip(widths[:-1], blocks))
        self.to_pixels = conv3(widths[0], outputs * patch**2)
        for conv in (self.stem, *self.downs, *self.ups):  # signals as large as what comes in, at every level
            nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="linear")
        nn.init.zeros_(self.to_pixels.weight)
        nn.init.zeros_(self.to_pixels.bias)

    @property
    def stride(self) -> int:
        """What the sides of a picture must be multiples of."""
        return self.patch * 2 ** len(self.downs)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, inputs, H, W), about -1 to 1, to (B, outputs, H, W) float32."""
        x = stem = self.stem(F.pixel_unshuffle(pixels.to(self.stem.weight.dtype), self.patch))
        seen = []
        for level, down in zip(self.enter, self.downs):
            seen.append(level(x))
            x = down(seen[-1])
        x = self.enter[-1](x)
        for i in reversed(range(len(self.ups))):
            x = self.leave[i](self.ups[i](x) + seen[i])
        return F.pixel_shuffle(self.to_pixels(x + stem), self.patch).float()


def _stack(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(PlainBlock(channels) for _ in range(count)))
