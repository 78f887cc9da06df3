"""Sizes of the detector stage: ``tiny`` for tests, ``small`` is what is shipped, ``paper`` for people with GPUs."""

from __future__ import annotations

from dataclasses import dataclass, field

from facerecon.faces.center_network import CenterConfig


@dataclass(frozen=True)
class TrainConfig:
    """One run.

    Attributes:
        network: size of the network.
        size: side of the scenes, pixels; a multiple of 64.
        scenes: scenes composed a step.
        views: pictures of each scene a step, every second one mirrored, each photographed by itself.
        steps: updates; the schedule ends there, or with the minutes, whichever is first.
        lr: peak learning rate (of Muon; AdamW for biases).
        weight_decay: decoupled decay.
        ema: decay of the averaged weights.
        box_weight: of the boxes' loss; the confidences' counts once.
        point_weight: of the points' loss.
        closer: share of scenes composed and photographed at a smaller size and then enlarged, as in a closer look.
        composed: sides at which those are composed, pixels.
    """

    network: CenterConfig = field(default_factory=CenterConfig)
    size: int = 320
    scenes: int = 12
    views: int = 2
    steps: int = 20_000
    lr: float = 2e-3
    weight_decay: float = 0.01
    ema: float = 0.998
    box_weight: float = 2.0
    point_weight: float = 20.0
    closer: float = 0.4
    composed: tuple[int, ...] = (200, 160, 160, 128, 100, 80)


CONFIGS = {
    "tiny": TrainConfig(CenterConfig(32, (32, 32, 32, 32), (1, 1, 1, 1), 32), size=64, scenes=2, steps=4, composed=(48,)),
    "small": TrainConfig(),
    # SCRFD's larger sizes: 640-pixel crops and some ten million parameters.
    "paper": TrainConfig(CenterConfig(64, (128, 256, 256, 256), (4, 6, 3, 2), 128), size=640, scenes=64, steps=120_000, ema=0.9998, composed=(400, 320, 256, 160)),
}
