"""Building blocks: residual blocks, resampling, the controllable feature transform."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv3(c_in: int, c_out: int) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size."""
    return nn.Conv2d(c_in, c_out, 3, padding=1)


class ResidualBlock(nn.Module):
    """``x + conv(silu(conv(silu(x))))`` without normalisation; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = conv3(channels, channels), conv3(channels, channels)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> same
        return x + self.second(F.silu(self.first(F.silu(x))))


def residual_stack(channels: int, count: int) -> nn.Sequential:
    """``count`` residual blocks in a row."""
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))


class Downsample(nn.Module):
    """Halves the size with a strided convolution."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:  # (B, Cin, H, W) -> (B, Cout, H/2, W/2)
        return self.conv(x)


class Upsample(nn.Module):
    """Doubles the size by nearest neighbour, then convolves: no checkerboards."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = conv3(c_in, c_out)

    def forward(self, x: Tensor) -> Tensor:  # (B, Cin, H, W) -> (B, Cout, 2H, 2W)
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class ControllableFeatureTransform(nn.Module):
    """``d + w * (alpha * d + beta)``, alpha and beta read from encoder and decoder features.

    Zhou et al., "Towards Robust Blind Face Restoration with Codebook Lookup
    Transformer", NeurIPS 2022, equation 5. At ``w = 0`` the decoder sees only the
    codes; at ``w = 1`` it may copy what the encoder saw.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.merge = nn.Sequential(conv3(2 * channels, channels), nn.SiLU())
        self.modulate = conv3(channels, 2 * channels)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, decoded: Tensor, encoded: Tensor, w: Tensor) -> Tensor:
        """Shapes: decoded and encoded (B, C, H, W); w (B, 1, 1, 1) in [0, 1]."""
        alpha, beta = self.modulate(self.merge(torch.cat([encoded, decoded], 1))).chunk(2, 1)
        return decoded + w * (alpha * decoded + beta)
