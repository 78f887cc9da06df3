"""Losses of restoration training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.restoration.colour import FROM_YCC, TO_YCC


def charbonnier(x: Tensor, y: Tensor) -> Tensor:
    """Smooth L1 per sample: (B, ...) to (B,)."""
    return ((x - y).float().square() + 1e-6).sqrt().flatten(1).mean(1)


def gradients(x: Tensor) -> Tensor:
    """Differences to the right and lower neighbours, (B, 2C, H-1, W-1)."""
    return torch.cat([x[..., 1:, 1:] - x[..., 1:, :-1], x[..., 1:, 1:] - x[..., :-1, 1:]], 1)


def gradient_loss(x: Tensor, y: Tensor) -> Tensor:
    """L1 between image gradients at full and half size, per sample (B,)."""
    total = 0.0
    for _ in range(2):
        total = total + (gradients(x) - gradients(y)).float().abs().flatten(1).mean(1)
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return total


def unsharp(x: Tensor, amount: float = 0.6) -> Tensor:
    """Unsharp-masked targets, as Wang et al. use in Real-ESRGAN (ICCVW 2021), (B, 3, H, W)."""
    blurred = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), 5, 1)
    return (x + amount * (x - blurred)).clamp(0, 1)


def to_ycc(x: Tensor) -> Tensor:
    """RGB (B, 3, H, W) in [0, 1] to Y in [0, 1], Cb and Cr about zero."""
    return torch.einsum("ij,bjhw->bihw", torch.from_numpy(TO_YCC).to(x.device), x.float())


def from_ycc(x: Tensor) -> Tensor:
    """The inverse of :func:`to_ycc`."""
    return torch.einsum("ij,bjhw->bihw", torch.from_numpy(FROM_YCC).to(x.device), x.float())


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches (Isola et al., CVPR 2017); returns logits and inner features."""

    def __init__(self, channels: int = 48) -> None:
        super().__init__()
        widths = (12, channels, 2 * channels, 4 * channels)
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 4, 2, 1) for a, b in zip(widths, widths[1:])
        )
        self.head = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B, 3, S, S) to (B, 1, S/16, S/16) and the features of each layer."""
        x, features = F.pixel_unshuffle(image * 2 - 1, 2), []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.head(x), features


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of the discriminator, a scalar."""
    return F.relu(1 - real.float()).mean() + F.relu(1 + fake.float()).mean()


def adversarial_loss(logits: Tensor, fake: list[Tensor], real: list[Tensor], weight: Tensor) -> Tensor:
    """Generator's hinge loss with feature matching (Wang et al., pix2pixHD, CVPR 2018).

    Args:
        logits: discriminator's judgement of the generated images, (B, 1, h, w).
        fake: its features of them.
        real: its features of the targets.
        weight: (B,) how much each sample counts.
    """
    matching = sum((a - b.detach()).float().abs().flatten(1).mean(1) for a, b in zip(fake, real))
    return (weight * (4 * matching - logits.float().flatten(1).mean(1))).mean()
