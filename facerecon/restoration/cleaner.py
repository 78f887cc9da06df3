"""The faithful half of restoration: takes blur, noise and compression away and invents nothing.

Regression before generation, and blind to the strength of the degradation, is the order of Lin et al.,
"DiffBIR: Towards Blind Image Restoration with Generative Diffusion Prior", ECCV 2024.
"""

from __future__ import annotations

from torch import Tensor

from facerecon.restoration.configuration import RestorationConfig
from facerecon.restoration.unet import ResidualUNet


class Cleaner(ResidualUNet):
    """Degraded crop of any size to the crop plus a correction, zero before training."""

    def __init__(self, config: RestorationConfig) -> None:
        super().__init__(3, 3, config.patch, config.cleaner_channels, config.cleaner_blocks)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1], best in float32 whatever the network's dtype, to (B, 3, H, W) float32, not clamped."""
        # Added in float32: bfloat16 has no more than 8 bits between one half and one, which would cost whole grey levels.
        return image.float() + super().forward(image * 2 - 1)
