"""A plain convolutional network from an aligned crop to age, gender and race."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

AGES = 101  # one logit a year, 0 to 100
PATCH = 4  # side of the squares of pixels that the first convolution takes as channels


@dataclass(frozen=True)
class NetworkConfig:
    """Size of the network.

    Attributes:
        image_size: side of the crop, pixels; a multiple of 16.
        channels: of the three stages, at 1/4, 1/8 and 1/16 of the input; multiples of 32 run fastest.
        blocks: residual blocks of each stage.
        heads: outputs by name.
    """

    image_size: int = 96
    channels: tuple[int, ...] = (64, 192, 208)
    blocks: tuple[int, ...] = (2, 2, 1)
    heads: tuple[tuple[str, int], ...] = (("age", AGES), ("gender", 2), ("utkface", 5), ("fairface", 7))

    def to_dict(self) -> dict:
        """As plain values, for a checkpoint's metadata."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> NetworkConfig:
        """Back from :meth:`to_dict`, lists or tuples."""
        heads = tuple((name, size) for name, size in values["heads"])
        return cls(values["image_size"], tuple(values["channels"]), tuple(values["blocks"]), heads)


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution with batch normalisation, which :func:`fold` makes one convolution of."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs)
    )


class Block(nn.Module):
    """Two 3x3 convolutions around a skip (He et al., CVPR 2016); starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = convolution(channels, channels), convolution(channels, channels)
        nn.init.zeros_(self.second[1].weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x), inplace=True)), inplace=True)


class DemographicsNetwork(nn.Module):
    """Crops (B, 3, S, S) in [0, 1] to logits by head, float32.

    Each channel of the last stage is pooled with weights of its own for every cell, since
    the parts of an aligned face stand at known places (Chen et al., "MobileFaceNets", 2018).
    """

    def __init__(self, config: NetworkConfig = NetworkConfig()) -> None:
        super().__init__()
        self.config = config
        stages, previous, stride = [], 3 * PATCH**2, 1
        for channels, blocks in zip(config.channels, config.blocks, strict=True):
            shrink = convolution(previous, channels, stride)
            stages += [shrink, nn.ReLU(inplace=True), *(Block(channels) for _ in range(blocks))]
            previous, stride = channels, 2
        self.stages = nn.Sequential(*stages)
        self.cells = config.image_size // PATCH // 2 ** (len(config.channels) - 1)
        self.pool = nn.Parameter(torch.zeros(previous * self.cells**2))  # what differs from the plain mean
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(previous, sum(size for _, size in config.heads))
        nn.init.normal_(self.out.weight, std=0.02)
        nn.init.zeros_(self.out.bias)

    def forward(self, crops: Tensor) -> dict[str, Tensor]:
        x = self.stages(F.pixel_unshuffle((crops - 0.5) * 4, PATCH))
        x = (x * (1 + self.pool.view(-1, self.cells, self.cells))).mean((2, 3))
        logits = self.out(self.drop(x)).float()
        sizes = [size for _, size in self.config.heads]
        return dict(zip([name for name, _ in self.config.heads], logits.split(sizes, dim=1)))


def fold(network: DemographicsNetwork) -> DemographicsNetwork:
    """The same network, in place and for use only, with every normalisation inside its convolution."""
    network.eval()
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential) and len(module) == 2 and isinstance(module[1], nn.BatchNorm2d):
            module[0] = nn.utils.fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    return network
