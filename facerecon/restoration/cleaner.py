"""The faithful half of restoration: takes blur, noise and compression away and invents nothing.

Regression before generation, and blind to the strength of the degradation, is the order of Lin et al.,
"DiffBIR: Towards Blind Image Restoration with Generative Diffusion Prior", ECCV 2024. A face is cleaned small
first, by a network that always sees all of it, then larger with the smaller result as a guide, as in
Nah et al., "Deep Multi-scale Convolutional Neural Network for Dynamic Scene Deblurring", CVPR 2017; the larger sizes
share their weights, as in Tao et al., "Scale-recurrent Network for Deep Image Deblurring", CVPR 2018.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.restoration.configuration import RestorationConfig
from facerecon.restoration.unet import ResidualUNet


class CoarseCleaner(ResidualUNet):
    """A small picture of a whole degraded face to that of the clean one: most of what strong damage took is there to mend."""

    def __init__(self, config: RestorationConfig) -> None:
        super().__init__(3, 3, config.coarse_patch, config.coarse_channels, config.coarse_blocks)
        self.size = config.coarse_size

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, ``size``, ``size``) in [0, 1], best in float32, to the same in float32, not clamped."""
        return image.float() + super().forward(image * 2 - 1)


class Cleaner(ResidualUNet):
    """Degraded crop of any size, and a guess at the clean one, to the guess plus a correction, zero before training.

    ``coarse`` makes the first guess, at a fixed small size.
    """

    def __init__(self, config: RestorationConfig) -> None:
        super().__init__(6, 3, config.patch, config.cleaner_channels, config.cleaner_blocks)
        self.coarse = CoarseCleaner(config)

    def forward(self, image: Tensor, guess: Tensor | None = None) -> Tensor:
        """(B, 3, H, W) in [0, 1], best in float32 whatever the network's dtype, to (B, 3, H, W) float32, not clamped.

        ``guess`` is of the same shape; the image itself where there is none.
        """
        guess = image if guess is None else guess
        # Added in float32: bfloat16 has no more than 8 bits between one half and one, which would cost whole grey levels.
        return guess.float() + super().forward(torch.cat([image, guess], 1) * 2 - 1)

    def coarse_to_fine(self, image: Tensor) -> Tensor:
        """A whole face (B, 3, S, S), cleaned small, then at twice that size and so on up to its own, as :meth:`forward`."""
        side, first = int(image.shape[-1]), self.coarse.size
        small = shrink(image, first)
        correction = self.coarse(small) - small
        sides = [first * 2**i for i in range(1, side.bit_length()) if first * 2**i < side]
        for size in (*sides, side):
            seen = shrink(image, size)
            correction = self(seen, corrected(seen, correction)) - seen
        return image + correction


def shrink(image: Tensor, size: int) -> Tensor:
    """Square pictures (B, C, S, S) averaged down to ``size`` pixels a side."""
    return image if image.shape[-1] == size else F.interpolate(image, size, mode="area")


def corrected(image: Tensor, correction: Tensor | None) -> Tensor:
    """Pictures (B, 3, S, S) plus a correction that was found at a smaller size, if any."""
    if correction is None:
        return image
    return image + F.interpolate(correction, image.shape[-2:], mode="bicubic", align_corners=False)
