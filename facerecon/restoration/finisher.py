"""Puts the grain of skin, lashes and hair on faces that came out smooth, at whatever size they have.

A small residual generator, trained against a discriminator on sharp portraits as in Ledig et al., "Photo-Realistic
Single Image Super-Resolution Using a Generative Adversarial Network", CVPR 2017. Noise comes in beside the picture, from
which what cannot be known is made (Karras et al., "A Style-Based Generator Architecture", CVPR 2019).
"""

from __future__ import annotations

import torch
from torch import Tensor

from facerecon.restoration.configuration import RestorationConfig
from facerecon.restoration.unet import ResidualUNet

_LARGEST = 0.2  # change of a pixel; without a limit generator and discriminator can run away together
_NOISE_SIDE = 256  # pixels after which the noise of use repeats
# Below this fidelity faces are finished wholly; above it the less, the higher it is.
_WHOLLY = 0.5


class Finisher(ResidualUNet):
    """Smooth face of any size to the face with fine detail; unchanged before training."""

    def __init__(self, config: RestorationConfig) -> None:
        super().__init__(4, 3, config.finisher_patch, config.finisher_channels, config.finisher_blocks)
        noise = torch.randn(1, 1, _NOISE_SIDE, _NOISE_SIDE, generator=torch.Generator().manual_seed(0))
        self.register_buffer("noise", noise, persistent=False)

    def forward(self, image: Tensor, noise: Tensor | None = None) -> Tensor:
        """(B, 3, H, W) in [0, 1] to the same, float32, not clamped; ``noise`` (B, 1, H, W), always the same by default."""
        if noise is None:
            height, width = map(int, image.shape[-2:])
            repeats = -(-height // _NOISE_SIDE), -(-width // _NOISE_SIDE)
            noise = self.noise.repeat(1, 1, *repeats)[..., :height, :width].expand(len(image), -1, -1, -1)
        change = super().forward(torch.cat([image.float() * 2 - 1, noise.float()], 1))
        return image.float() + _LARGEST * torch.tanh(change / _LARGEST)

    def finish(self, image: Tensor, w: Tensor) -> Tensor:
        """:meth:`forward` to the extent that fidelity ``w`` (B, 1, 1, 1) leaves room for invention."""
        return torch.lerp(image.float(), self(image), ((1 - w) / (1 - _WHOLLY)).clamp(max=1))
