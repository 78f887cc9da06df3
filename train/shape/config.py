"""Sizes and schedules of the metric shape stage."""

from __future__ import annotations

from dataclasses import dataclass, field

from facerecon.reconstruction.metric_shape import MetricShapeConfig


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts; the comments give a loss's size in a good network."""

    vertices: float = 1.0  # 2.7 mm, faces whose shape is known
    slopes: float = 0.15  # 3.5 degrees
    people: float = 1.5  # 0.4, distance within people over that between them
    landmarks: float = 25.0  # 0.02 crop sides, photos
    demographics: float = 0.4  # 1.5
    prior: float = 0.05  # 0.4
    consistency: float = 0.0  # age, gender and ancestry read from the whole shape; 0 leaves it out


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        network: size of the mapping network; lengths of its inputs are those of the prepared features.
        steps: length of the schedule.
        known, photos, people: faces a batch whose shape is known (rendered or scanned), photos with landmarks, and
            pairs of photos of one person.
        scanned: share of ``known`` that comes from scans where there are any.
        told: chance that age, gender or ancestry, each by itself, is stated.
        lr: peak learning rate.
        weight_decay: decoupled.
        ema: decay of the averaged weights.
        muon: Muon for matrices, else AdamW.
        weights: of the losses.
    """

    network: MetricShapeConfig = field(default_factory=MetricShapeConfig)
    steps: int = 1200
    known: int = 224
    photos: int = 48
    people: int = 64
    scanned: float = 0.5
    told: float = 0.25
    lr: float = 1.5e-3
    weight_decay: float = 0.05
    ema: float = 0.995
    muon: bool = True
    weights: LossWeights = field(default_factory=LossWeights)


CONFIGS = {
    "tiny": TrainConfig(MetricShapeConfig(hidden=16, layers=2), steps=6, known=4, photos=2, people=2),
    "small": TrainConfig(),
    "paper": TrainConfig(steps=160_000, known=8, photos=8, people=8, lr=1e-4, weight_decay=2e-4, ema=0.9995, muon=False),
}
