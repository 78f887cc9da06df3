"""Sizes and schedules of the detail stage."""

from __future__ import annotations

from dataclasses import dataclass, field

from facerecon.reconstruction.detail_network import DetailConfig


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts."""

    depth: float = 1.0  # mm, relief that is known
    slope: float = 2.0  # mm a texel, of it
    photo: float = 0.6  # log of brightness that the relief of a real photo leaves unexplained
    still: float = 0.02  # mm, size of that relief
    rough: float = 0.15  # its curvature


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        network: its size.
        steps: length of the schedule.
        known, photos: faces a batch whose relief is made up, and real ones.
        relief: how many made-up reliefs there are.
        lr: peak learning rate.
        ema: decay of the averaged weights.
        weights: of the losses.
    """

    network: DetailConfig = field(default_factory=DetailConfig)
    steps: int = 2600
    known: int = 6
    photos: int = 5
    relief: int = 500
    lr: float = 1.5e-3
    ema: float = 0.997
    weights: LossWeights = field(default_factory=LossWeights)


CONFIGS = {
    "tiny": TrainConfig(DetailConfig(widths=(8, 8), blocks=(1, 1)), steps=4, known=2, photos=1, relief=3),
    "small": TrainConfig(),
    "paper": TrainConfig(DetailConfig(widths=(48, 96, 192), blocks=(3, 3, 3)), steps=100_000, known=16, photos=16, relief=4000, lr=5e-4, ema=0.9995),
}
