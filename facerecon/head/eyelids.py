"""Makes the eyelids of every head close, meet and lie on its eyeballs.

A linear basis cannot: a child's eye and a narrow one need blinks of their own,
two shapes that both lower a lid would push it through the other, and skin
would sink into the eyeball.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facerecon.head.landmarks import surface_points

OVERLAP = 3e-4
"""How far closed lids overlap, metres, so that no light shows between them."""

BLINK_EXCESS = 1.08
"""Blinks aim a little too low; the lower lid stops them."""

SMALLEST_OPENING = 1e-3
"""Below this height, in metres, an opening of the mean adult is taken for a corner."""

TABLES = ("rim_barycentric", "across", "follow", "opening", "clearance")
INDICES = ("vertices", "eyes", "rim_triangles", "moving")


class Eyelids(nn.Module):
    """The lids of both eyes; tables as ``train/head/eyelids.py`` describes them."""

    def __init__(self, tensors: dict[str, Tensor], eyeballs: list[slice], blink: Tensor) -> None:
        """``tensors`` by name without prefix, the eyeballs' vertices, and ``blink`` (2, P, 3) metres, left first."""
        super().__init__()
        for name in TABLES:
            self.register_buffer(name, tensors[name].float())
        for name in INDICES:
            self.register_buffer(name, tensors[name].long() & 0xFFFF)
        self.register_buffer("blink", torch.stack([blink[i, self.moving[i]] for i in range(2)]))
        self.eyeballs = eyeballs

    def openings(self, points: Tensor) -> Tensor:
        """Height (B, 2, R) of each eye's opening from corner to corner, metres; negative where lids cross."""
        rims = surface_points(points, self.rim_triangles.flatten(0, 2), self.rim_barycentric.flatten(0, 2))
        heights = rims[..., 1].unflatten(1, self.rim_triangles.shape[:3])
        return heights[:, :, 0] - heights[:, :, 1]

    def fit_blink(self, neutral: Tensor, moved: Tensor, strength: Tensor, already: Tensor) -> Tensor:
        """Replaces the mean adult's blink by one of the head's own size.

        Args:
            neutral: (B, P, 3) the head without expression.
            moved: (B, P, 3) with expression.
            strength: (B, 2) blinks of the left and the right eye in [0, 1].
            already: (B, 2) how much of the mean adult's blink ``moved`` holds.
        """
        usable = self.opening > SMALLEST_OPENING
        ratio = torch.where(usable, self.openings(neutral) / self.opening.clamp_min(SMALLEST_OPENING), 1.0)
        size = torch.einsum("emr,ber->bem", self.across, ratio.clamp(0.2, 3.0)) * BLINK_EXCESS
        extra = (strength[..., None] * size - already[..., None])[..., None] * self.blink
        return moved.index_add(1, self.moving.flatten(), extra.flatten(1, 2))

    def settle(self, points: Tensor) -> Tensor:
        """Lifts upper lids off lower ones they have crossed, then all lids off the eyeballs: (B, P, 3)."""
        crossed = (OVERLAP + self.openings(points)).clamp_max(0.0)
        lift = torch.einsum("emr,ber->bem", self.across, -crossed) * self.follow
        upward = torch.stack((torch.zeros_like(lift), lift, torch.zeros_like(lift)), dim=-1)
        return self._clear(points.index_add(1, self.moving.flatten(), upward.flatten(1, 2)))

    def _clear(self, points: Tensor) -> Tensor:
        """Pushes sunken lid vertices straight out of the eyeballs."""
        balls = torch.stack([points[:, block] for block in self.eyeballs], dim=1)
        centre = balls.mean(2)
        radius = (balls - centre[:, :, None]).norm(dim=-1).mean(-1)
        around, needed = centre[:, self.eyes], radius[:, self.eyes] + self.clearance
        outward = points[:, self.vertices] - around
        push = (needed / outward.norm(dim=-1).clamp_min(1e-6)).clamp_min(1.0)
        return points.index_copy(1, self.vertices, around + outward * push[..., None])
