"""Encoder and decoder around the codebook (stage I)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.restoration.blocks import (
    ControllableFeatureTransform,
    Downsample,
    Upsample,
    conv3,
    residual_stack,
)
from facerecon.restoration.codebook import Codebook
from facerecon.restoration.configuration import RestorationConfig


class Encoder(nn.Module):
    """Crop to a pyramid of features and a map of code-sized features."""

    def __init__(self, config: RestorationConfig) -> None:
        super().__init__()
        self.patch = config.patch
        widths = config.channels
        self.stem = conv3(3 * config.patch**2, widths[0])
        self.levels = nn.ModuleList(residual_stack(c, config.blocks) for c in widths)
        self.downs = nn.ModuleList(Downsample(a, b) for a, b in zip(widths, widths[1:]))
        self.to_code = nn.Conv2d(widths[-1], config.code_dim, 1)

    def forward(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """(B, 3, S, S) in [0, 1] to features of each level, finest first, and (B, code_dim, grid, grid)."""
        x = self.stem(F.pixel_unshuffle(image * 2 - 1, self.patch))
        features = []
        for i, level in enumerate(self.levels):
            x = level(x if i == 0 else self.downs[i - 1](x))
            features.append(x)
        return features, self.to_code(F.silu(x))


class Decoder(nn.Module):
    """Code-sized features to a crop, optionally steered by the encoder's features."""

    def __init__(self, config: RestorationConfig) -> None:
        super().__init__()
        widths = config.channels[::-1]
        self.patch = config.patch
        self.from_code = conv3(config.code_dim, widths[0])
        self.levels = nn.ModuleList(residual_stack(c, config.blocks) for c in widths)
        self.ups = nn.ModuleList(Upsample(a, b) for a, b in zip(widths, widths[1:]))
        self.to_pixels = conv3(widths[-1], 3 * config.patch**2)

    def forward(
        self,
        codes: Tensor,
        transforms: nn.ModuleList | None = None,
        features: list[Tensor] | None = None,
        w: Tensor | None = None,
    ) -> Tensor:
        """Decodes.

        Args:
            codes: (B, code_dim, grid, grid).
            transforms: a :class:`ControllableFeatureTransform` for each level, coarsest first.
            features: the encoder's features, finest first.
            w: (B, 1, 1, 1) fidelity weight.

        Returns:
            (B, 3, S, S).
        """
        x = self.from_code(codes)
        for i, level in enumerate(self.levels):
            x = x if i == 0 else self.ups[i - 1](x)
            if transforms is not None:
                x = transforms[i](x, features[-1 - i], w)
            x = level(x)
        image = F.pixel_shuffle(self.to_pixels(F.silu(x)), self.patch)
        return image * 0.5 + 0.5


class CodebookAutoencoder(nn.Module):
    """Stage I: a face as a small grid of codes (VQGAN, Esser et al., CVPR 2021)."""

    def __init__(self, config: RestorationConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.codebook = Codebook(config.codebook_size, config.code_dim)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, S, S) to reconstruction (B, 3, S, S), indices (B, grid, grid), commitment loss."""
        quantised, indices, commitment = self.codebook(self.encoder(image)[1])
        return self.decoder(quantised), indices, commitment


def feature_transforms(config: RestorationConfig) -> nn.ModuleList:
    """One controllable feature transform for each decoder level, coarsest first."""
    return nn.ModuleList(ControllableFeatureTransform(c) for c in config.channels[::-1])
