"""A fully convolutional face detector without anchors: confidence, box and five points in every cell.

Cells of 8, 16, 32 and 64 pixels each say whether the centre of a face of their size lies in them, as
in FCOS (Tian et al., ICCV 2019) and SCRFD (Guo et al., ICLR 2022); a pixel-unshuffle begins, plain
residual blocks follow, and a feature pyramid (Lin et al., CVPR 2017) with one head for all cells ends
it. Nothing is normalised, so that there is nothing to fold, and convolutions are 3x3 of multiples of
32 channels, which bfloat16 matrix units like best.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDES = (8, 16, 32, 64)
PATCH = 4
OUTPUTS = 15  # confidence, box (4), five points (10)
_RARE = -4.6  # logit of the share of cells that hold a face, where training begins


@dataclass(frozen=True)
class CenterConfig:
    """Sizes of the network.

    Attributes:
        stem: channels at a stride of 4 pixels.
        channels: of the stages at 8, 16, 32 and 64 pixels.
        blocks: residual blocks of each stage.
        neck: channels of the pyramid and of the head.
    """

    stem: int = 32
    channels: tuple[int, ...] = (64, 64, 96, 64)
    blocks: tuple[int, ...] = (1, 2, 1, 1)
    neck: int = 64


class Block(nn.Module):
    """Two convolutions round a skip, the identity at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.normal_(self.second.weight, std=0.003)
        nn.init.zeros_(self.first.bias)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return F.relu(self.second(F.relu(self.first(x), inplace=True)) + x, inplace=True)


class CenterNetwork(nn.Module):
    """Photos to what each cell sees."""

    def __init__(self, config: CenterConfig = CenterConfig()) -> None:
        super().__init__()
        self.config = config
        self.stem = _conv(3 * PATCH**2, config.stem)
        stages, previous = [], config.stem
        for channels, blocks in zip(config.channels, config.blocks, strict=True):
            stages.append(nn.Sequential(_conv(previous, channels, 2), nn.ReLU(inplace=True), *(Block(channels) for _ in range(blocks))))
            previous = channels
        self.stages = nn.ModuleList(stages)
        self.laterals = nn.ModuleList(nn.Conv2d(channels, config.neck, 1) for channels in config.channels)
        self.mix = nn.ModuleList(_conv(config.neck, config.neck) for _ in config.channels)
        self.tower = _conv(config.neck, config.neck)
        self.predict = nn.Conv2d(config.neck, OUTPUTS, 1)
        nn.init.normal_(self.predict.weight, std=0.01)
        with torch.no_grad():
            self.predict.bias.zero_()[0] = _RARE

    def forward(self, patches: Tensor) -> Tensor:
        """What each cell sees.

        Args:
            patches: (B, 48, H / 4, W / 4), see :func:`patches_of`; H and W multiples of 8.

        Returns:
            (B, N, 15) float32 for the N cells of all strides, row by row, finest first: logit of the confidence;
            the box's centre from the cell's in strides, logarithms of its width and height in strides; five points
            from the cell's centre in strides.
        """
        x = F.relu(self.stem(patches), inplace=True)
        maps = []
        for stage, lateral in zip(self.stages, self.laterals):
            x = stage(x)
            maps.append(lateral(x))
        for i in range(len(maps) - 2, -1, -1):
            height, width = maps[i].shape[-2:]
            maps[i] = maps[i] + F.interpolate(maps[i + 1], scale_factor=2.0, mode="nearest")[..., :height, :width]
        seen = [self._look(mix, level) for mix, level in zip(self.mix, maps)]
        cells = torch.cat([level.permute(0, 2, 3, 1).flatten(1, 2) for level in seen], dim=1)
        # Pixels want more digits than bfloat16 has.
        return F.linear(cells.float(), self.predict.weight.flatten(1).float(), self.predict.bias.float())

    def _look(self, mix: nn.Module, level: Tensor) -> Tensor:
        x = F.relu(mix(F.relu(level, inplace=True)), inplace=True)
        return F.relu(self.tower(x), inplace=True)


def patches_of(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """The network's input: (B, H, W, 3) uint8 to (B, 48, H / 4, W / 4), about -1 to 1, channels-last in memory."""
    batch, height, width, _ = images.shape
    blocks = images.reshape(batch, height // PATCH, PATCH, width // PATCH, PATCH * 3).transpose(2, 3)
    patches = blocks.reshape(batch, height // PATCH, width // PATCH, -1).to(dtype)
    return patches.div_(128).sub_(1).permute(0, 3, 1, 2)


def cell_centers(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Centres (N, 2), x and y in pixels, and strides (N,) of the cells, in the network's order."""
    centers, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(-(-height // stride)), torch.arange(-(-width // stride)), indexing="ij")
        centers.append((torch.stack((x, y), -1).reshape(-1, 2) + 0.5) * stride - 0.5)
        strides.append(torch.full((len(centers[-1]),), float(stride)))
    return torch.cat(centers), torch.cat(strides)


def decode(cells: Tensor, centers: Tensor, strides: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes (..., 4) x0, y0, x1, y1 and points (..., 5, 2) in pixels.

    Args:
        cells: (..., 15) as the network gives them.
        centers: (..., 2) of those cells, pixels.
        strides: (...,) of those cells.
    """
    stride = strides[..., None]
    middle = centers + cells[..., 1:3] * stride
    half = cells[..., 3:5].clamp(max=6.0).exp() * stride / 2
    points = centers[..., None, :] + cells[..., 5:].unflatten(-1, (5, 2)) * stride[..., None]
    return torch.cat((middle - half, middle + half), -1), points


def overlaps(first: Tensor, second: Tensor, of_smaller: bool = False) -> Tensor:
    """(N, M): the shares of the union, or of the smaller box, that boxes (N, 4) and (M, 4) have in common."""
    corner0 = torch.maximum(first[:, None, :2], second[:, :2])
    corner1 = torch.minimum(first[:, None, 2:], second[:, 2:])
    shared = (corner1 - corner0).clamp_min(0).prod(2)
    one, other = ((boxes[:, 2:] - boxes[:, :2]).clamp_min(0).prod(1) for boxes in (first, second))
    whole = torch.minimum(one[:, None], other) if of_smaller else one[:, None] + other - shared
    return shared / whole.clamp_min(1e-9)


def suppress(boxes: Tensor, scores: Tensor, overlap: float = 0.4, of_smaller: bool = False) -> Tensor:
    """Non-maximum suppression: indices of the boxes (N, 4) to keep, best first.

    Any two of them share at most ``overlap`` of their union, or of the smaller one.
    """
    order = scores.argsort(descending=True, stable=True)
    rivals = (overlaps(boxes[order], boxes[order], of_smaller) > overlap).triu(1)
    alive = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
    for i in range(len(boxes)):
        if alive[i]:
            alive &= ~rivals[i]
    return order[alive]


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, stride, 1)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    nn.init.zeros_(conv.bias)
    return conv
