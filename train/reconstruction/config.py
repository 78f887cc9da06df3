"""Sizes and schedules of the reconstruction stage."""

from __future__ import annotations

from dataclasses import dataclass, field

from facerecon.reconstruction.encoder import EncoderConfig
from facerecon.reconstruction.feedback import FeedbackConfig
from facerecon.reconstruction.trunk import TrunkConfig


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts; the comments give a loss's size in a good network.

    Those from ``vertices`` to ``lighting``, ``places`` and ``offsets`` need the truth of a synthetic face.
    """

    landmarks: float = 90.0  # 0.02 crop sides
    vertices: float = 0.6  # 4 mm
    shape: float = 2.0  # 3 mm
    rotation: float = 3.0  # 0.15
    scale: float = 3.0  # 0.1, logarithm
    distance: float = 1.0  # 0.4 / m
    expression: float = 20.0  # 0.06
    lighting: float = 2.0  # 0.15
    age: float = 1.5  # 1
    gender: float = 1.5  # 0.4
    ancestry: float = 1.5  # 0.8
    places: float = 80.0  # 0.015 crop sides
    offsets: float = 80.0  # 0.01 crop sides
    prior: float = 0.08  # 1, photos only
    photometric: float = 0.0  # 0.15, of pictures of photos' heads; these two need train.reconstruction.masks
    likeness: float = 0.0  # 0.4, the same


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        encoder: size of the network.
        steps: length of the schedule.
        synthetic, true, labelled: crops of each kind in a batch: rendered faces, photos with true landmarks,
            photos with pseudo-labels.
        turned: photos whose heads were turned aside in a batch, where there are any.
        drawn: photos of these whose head is drawn, where a loss of pictures has a weight.
        lr: peak learning rate.
        weight_decay: decoupled.
        ema: decay of the averaged weights.
        weights: of the losses.
        muon: Muon instead of AdamW for convolutions and matrices.
    """

    encoder: EncoderConfig = EncoderConfig(feedback=FeedbackConfig())
    steps: int = 4500
    synthetic: int = 64
    true: int = 32
    labelled: int = 32
    turned: int = 16
    drawn: int = 16
    lr: float = 1.5e-3
    weight_decay: float = 0.02
    ema: float = 0.998
    muon: bool = True
    weights: LossWeights = field(default_factory=LossWeights)

    @property
    def batch(self) -> int:
        """Crops a batch."""
        return self.synthetic + self.true + self.labelled


TINY = TrunkConfig(image_size=64, channels=(32, 32, 32, 32), blocks=(1, 1, 1, 1), reduced=32, features=64)
LARGE = TrunkConfig(image_size=224, channels=(96, 192, 384, 768), blocks=(3, 4, 6, 3), reduced=64, features=1024)
GLANCE, CLOSE = FeedbackConfig(anchors=8, local=4, width=32), FeedbackConfig(anchors=256, local=16, width=1024, rounds=3)

CONFIGS = {
    "tiny": TrainConfig(EncoderConfig(TINY, feedback=GLANCE), steps=6, synthetic=2, true=2, labelled=2, turned=1, drawn=1),
    "small": TrainConfig(),
    "paper": TrainConfig(EncoderConfig(LARGE, feedback=CLOSE), steps=200_000, synthetic=48, true=40, labelled=40, lr=3e-4, ema=0.9995),
}
