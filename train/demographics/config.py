"""Sizes of the demographics stage: ``tiny`` for tests, ``small`` is what is shipped, ``paper`` for people with GPUs."""

from __future__ import annotations

from dataclasses import dataclass, field

from facerecon.demographics.network import NetworkConfig


@dataclass(frozen=True)
class TrainConfig:
    """One run.

    Attributes:
        network: size of the network.
        steps: updates; the schedule ends there, or with the minutes, whichever is first.
        batch: faces a step.
        lr: peak learning rate (of Muon; AdamW for biases and the like).
        weight_decay: decoupled decay.
        ema: decay of the averaged weights.
        mixup: share of steps with mixed faces (Zhang et al., ICLR 2018), none in the last fifth of the run.
        power: how far rare groups are drawn oftener, 0 not at all to 1 all groups alike.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    steps: int = 6000
    batch: int = 128
    lr: float = 2e-3
    weight_decay: float = 0.03
    ema: float = 0.998
    mixup: float = 0.4
    power: float = 0.3


CONFIGS = {
    "tiny": TrainConfig(NetworkConfig(channels=(8, 16, 16), blocks=(1, 1, 1)), steps=4, batch=8),
    "small": TrainConfig(),
    # The size of ResNet-34, as FairFace's own classifier has it, on twice the pixels a side.
    "paper": TrainConfig(NetworkConfig(192, (128, 256, 512), (4, 6, 3)), steps=60_000, batch=256, ema=0.9998),
}
