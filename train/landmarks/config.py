"""Sizes of the landmark networks' runs: ``tiny`` for tests, ``small`` is what is shipped, ``paper`` for people with GPUs."""

from __future__ import annotations

from dataclasses import dataclass

from facerecon.faces.landmark_network import LandmarkerConfig
from facerecon.reconstruction.trunk import TrunkConfig


@dataclass(frozen=True)
class TrainConfig:
    """One run.

    Attributes:
        labeller, landmarker: sizes of the two networks, of which a run trains one.
        steps: updates; the schedule ends there, or with the minutes, whichever is first.
        batch: crops a step of one process.
        lr: peak learning rate.
        warmup: steps.
        ema: decay of the averaged weights.
    """

    labeller: TrunkConfig = TrunkConfig()
    landmarker: LandmarkerConfig = LandmarkerConfig()
    steps: int = 1000
    batch: int = 128
    lr: float = 8e-4
    warmup: int = 100
    ema: float = 0.998


_NARROW = TrunkConfig(image_size=32, channels=(32, 32, 32, 32), blocks=(1, 1, 1, 1), reduced=8, features=16)
_SMALL_CROPS = LandmarkerConfig(image_size=32, channels=(32, 32, 32), blocks=(1, 1, 1, 1), reduced=8, features=16)
# The crops of HRNet's face alignment (Wang et al., TPAMI 2021), some twenty million parameters.
_LARGE = LandmarkerConfig(image_size=256, channels=(128, 256, 256), blocks=(4, 4, 3, 2), reduced=64, features=512)

CONFIGS = {
    "tiny": TrainConfig(_NARROW, _SMALL_CROPS, steps=4, batch=4, warmup=2),
    "small": TrainConfig(),
    # The labeller stays as it is: it is no product, and whoever labels expects that size.
    "paper": TrainConfig(landmarker=_LARGE, steps=60_000, ema=0.9998),
}
