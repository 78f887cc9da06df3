"""A look at where the head lies that was just guessed, and what to change about it.

After mesh-aligned features (Zhang et al., "PyMAF", ICCV 2021) and cascades of regressors before them (Dollar et al., CVPR
2010; Xiong and De la Torre, CVPR 2013): one glance at the whole crop says roughly where everything is; the maps at the very
places where the guess puts the head's points say how far it is off there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.head import HeadModel
from facerecon.head.demographics import encode
from facerecon.reconstruction.vertex_basis import VertexBasis


OFFSET = 0.05
"""Crop sides for an offset of one."""


@dataclass(frozen=True)
class FeedbackConfig:
    """Size of a feedback.

    Attributes:
        anchors: points of the face that are looked at.
        local: numbers that each of them gives, more than two.
        width: hidden units of what they say together.
        rounds: times the guess is corrected, with the same weights.
    """

    anchors: int = 96
    local: int = 12
    width: int = 384
    rounds: int = 2


class Anchors(VertexBasis):
    """Points spread evenly over the face of a head, and where what an encoder says puts them.

    Args:
        head: whose face.
        count: how many.
    """

    def __init__(self, head: HeadModel, count: int) -> None:
        face = torch.nonzero(head.masks["face"])[:, 0]
        super().__init__(head, face[spread(head.template.unflatten(0, (-1, 3))[face], count)])

    def place(self, identity: Tensor, expression: Tensor, age: Tensor, gender: Tensor, ancestry: Tensor) -> Tensor:
        """(B, count, 3) metres."""
        return self.points(identity, expression, encode(age, gender, ancestry, self.age_table))


def spread(points: Tensor, count: int) -> Tensor:
    """Which of points (N, 3) lie far from one another, (count,): always the one farthest from those before."""
    chosen = [int((points - points.mean(0)).norm(dim=1).argmin())]
    distance = (points - points[chosen[0]]).norm(dim=1)
    for _ in range(count - 1):
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, (points - points[chosen[-1]]).norm(dim=1))
    return torch.tensor(chosen)


@dataclass
class Look:
    """One look at the anchors: where they were looked for, and how far off that seemed, (B, N, 2) crop sides each."""

    places: Tensor
    offsets: Tensor


class Feedback(nn.Module):
    """From the maps at the anchors to what to add to an encoder's numbers; nothing, to begin with.

    The first two of what each anchor gives say how far it is off; training holds them to that.

    Args:
        config: of the feedback.
        channels: of the maps that are looked at.
        features: length of the features of the whole crop.
        outputs: how many numbers the encoder says.
    """

    def __init__(self, config: FeedbackConfig, channels: int, features: int, outputs: int) -> None:
        super().__init__()
        self.config = config
        # Each anchor has filters of its own: row by row of one matrix.
        self.filters = nn.Linear(channels, config.anchors * config.local)
        self.together = nn.Linear(config.anchors * config.local + features + outputs, config.width)
        self.out = nn.Linear(config.width, outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, maps: list[Tensor], places: Tensor, features: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What to add to ``values``, the hidden units (B, width) that said so, and the anchors' ``Look.offsets``.

        Args:
            maps: each (B, C, H, W) float32; their C add up to ``channels``.
            places: (B, N, 2) of the anchors, crop sides from the centre.
            features: (B, F) of the whole crop.
            values: (B, V) as guessed so far.
        """
        seen = torch.cat([sample(m, places) for m in maps], 2).to(features.dtype)
        size = self.config.anchors, self.config.local
        local = torch.einsum("bnc,ndc->bnd", seen, self.filters.weight.unflatten(0, size)) + self.filters.bias.unflatten(0, size)
        offsets, rest = local.split((2, self.config.local - 2), 2)
        given = offsets.flatten(1), F.relu(rest).flatten(1), features, values.to(features.dtype)
        hidden = F.relu(self.together(torch.cat(given, 1)))
        return self.out(hidden).float(), hidden, offsets.float() * OFFSET


def sample(maps: Tensor, places: Tensor) -> Tensor:
    """Maps (B, C, H, W) at places (B, N, 2), crop sides from the centre: (B, N, C)."""
    return F.grid_sample(maps, 2 * places[:, None], padding_mode="border", align_corners=False)[:, :, 0].transpose(1, 2)
