"""The network that tells people apart: a small residual trunk and a head that keeps positions apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.identity.gradients import GradientHistograms, histogram_length

PATCH = 4  # pixels a side: the trunk begins at a quarter of the side, with all of a patch's colours as channels
RELU_GAIN = (2 / (1 - 1 / math.pi)) ** 0.5  # keeps a rectified signal's variance
FIRST_BRANCH_GAIN = 0.2  # of a residual branch


@dataclass(frozen=True)
class IdentityConfig:
    """Size of an embedding network.

    Attributes:
        image_size: side of the ``"identity"`` crop, pixels; a multiple of 16.
        channels: of the three stages, at 1/4, 1/8 and 1/16 of the input's side.
        blocks: residual blocks of each stage.
        reduced: channels kept of each cell of the last stage.
        embedding: length of the trunk's embedding.
        dropout: share of the cells' channels hidden from the embedding while training.
        gradient_embedding: length of the part of the embedding that gradient histograms give, 0 for none.
        gradient_share: their part of the cosine of two embeddings, 0 to 1.
    """

    image_size: int = 112
    channels: tuple[int, ...] = (64, 96, 128)
    blocks: tuple[int, ...] = (2, 2, 1)
    reduced: int = 24
    embedding: int = 128
    dropout: float = 0.1
    gradient_embedding: int = 0
    gradient_share: float = 0.5

    @property
    def length(self) -> int:
        """Of the whole embedding."""
        return self.embedding + self.gradient_embedding


class ScaledConv2d(nn.Conv2d):
    """A convolution whose weights are standardised, with a gain for each channel.

    Scaled weight standardisation (Brock, De and Smith, ICLR 2021): signals keep their size
    without batch normalisation, which on a CPU costs more than the convolutions themselves.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2)
        self.gain = nn.Parameter(torch.ones(outputs))
        # Their size has no say in the output; small weights let an optimizer's steps turn them quickly.
        nn.init.normal_(self.weight, std=0.5 * (inputs * kernel**2) ** -0.5)
        nn.init.zeros_(self.bias)

    def standardised(self) -> Tensor:
        """The weights that are convolved with, float32."""
        weight = self.weight.float()
        variance, mean = torch.var_mean(weight, dim=(1, 2, 3), keepdim=True)
        return (weight - mean) * torch.rsqrt(variance * weight[0].numel() + 1e-6) * self.gain.float()[:, None, None, None] * RELU_GAIN

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, outputs, H / stride, W / stride)."""
        return F.conv2d(x, self.standardised().to(x.dtype), self.bias, self.stride, self.padding)


class ResidualBlock(nn.Module):
    """Two convolutions around a skip that starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ScaledConv2d(channels, channels, 3)
        self.second = ScaledConv2d(channels, channels, 3)
        nn.init.constant_(self.second.gain, FIRST_BRANCH_GAIN)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same, rectified as it came."""
        return F.relu(x + self.second(F.relu(self.first(x))))


class IdentityNetwork(nn.Module):
    """Aligned crops to embeddings: one part from a trained trunk, one from gradient histograms.

    The last maps are not pooled: in an aligned crop each cell sees the same part of the face,
    so the embedding weighs every cell by itself, as ArcFace's does.
    """

    def __init__(self, config: IdentityConfig = IdentityConfig()) -> None:
        super().__init__()
        self.config = config
        stages, previous = [], 3 * PATCH**2
        for i, (channels, blocks) in enumerate(zip(config.channels, config.blocks, strict=True)):
            first = ScaledConv2d(previous, channels, 3, stride=1 if i == 0 else 2)
            stages.append(nn.Sequential(first, nn.ReLU(), *(ResidualBlock(channels) for _ in range(blocks))))
            previous = channels
        self.stages = nn.ModuleList(stages)
        cells = (config.image_size // 16) ** 2
        self.reduce = ScaledConv2d(previous, config.reduced, 1)
        self.dropout = nn.Dropout(config.dropout)
        self.project = nn.Linear(config.reduced * cells, config.embedding)
        self.norm = nn.BatchNorm1d(config.embedding)
        if config.gradient_embedding:
            self.histograms = GradientHistograms()
            self.gradient_project = nn.Linear(histogram_length(config.image_size), config.gradient_embedding)

    def features(self, crops: Tensor) -> list[Tensor]:
        """Maps of each stage, differentiable in the crops.

        Args:
            crops: (B, 3, S, S) in [0, 1], the ``"identity"`` crop; any S that is a multiple of 16.

        Returns:
            Maps at 1/4, 1/8 and 1/16 of the side: (B, C, S / 4, S / 4) and so on.
        """
        x, maps = F.pixel_unshuffle((crops.to(self.project.weight.dtype) - 0.5) * 4, PATCH), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, crops: Tensor) -> Tensor:
        """(B, 3, S, S) in [0, 1] to (B, length) float32; of unit length where histograms take part, else not yet."""
        cells = F.relu(self.reduce(self.features(crops)[-1])).flatten(1)
        learned = self.norm(self.project(self.dropout(cells)).float())
        if not self.config.gradient_embedding:
            return learned
        looks = self.gradient_project(self.histograms(crops))
        share = self.config.gradient_share
        parts = F.normalize(learned, dim=1) * (1 - share) ** 0.5, F.normalize(looks, dim=1) * share**0.5
        return torch.cat(parts, dim=1)


def fused(network: IdentityNetwork) -> IdentityNetwork:
    """Turns standardised convolutions into plain ones, in place, for inference."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ScaledConv2d):
                plain = nn.Conv2d(child.in_channels, child.out_channels, child.kernel_size, child.stride, child.padding)
                plain.load_state_dict({"weight": child.standardised().detach(), "bias": child.bias.detach()})
                setattr(parent, name, plain)
    return network
