"""Sizes of the identity stage: ``tiny`` for tests, ``small`` is what is shipped, ``paper`` for people with data and GPUs."""

from __future__ import annotations

from dataclasses import dataclass, field

from facerecon.identity.network import IdentityConfig


@dataclass(frozen=True)
class TrainConfig:
    """One run.

    Attributes:
        network: size of the network.
        steps: updates; the schedule ends there, or with the minutes, whichever is first.
        pairs: people a step of one process, two photos each.
        shares: of the ways in which they are drawn, see ``PeopleBatches``.
        lr: peak learning rate (of Muon; AdamW for biases and the like, and for the heads).
        decay: decoupled decay of the weights.
        average: decay of the weights' moving average.
        margin: of ``CosFace``.
        temperature: of ``Contrast``.
        memory: embeddings of earlier batches to contrast with.
        class_weight, attribute_weight: of these losses, the contrast's being one.
    """

    network: IdentityConfig = field(default_factory=IdentityConfig)
    steps: int = 100_000
    pairs: int = 80
    shares: tuple[float, float, float] = (0.45, 0.2, 0.35)
    lr: float = 2e-3
    decay: float = 0.05
    average: float = 0.995
    margin: float = 0.2
    temperature: float = 0.1
    memory: int = 0
    class_weight: float = 0.4
    attribute_weight: float = 0.3


_NARROW = IdentityConfig(channels=(32, 32, 32), blocks=(1, 1, 1), reduced=8, embedding=16)
# ArcFace's embedding on a trunk of some 25 million parameters.
_WIDE = IdentityConfig(channels=(128, 256, 512), blocks=(3, 6, 3), reduced=64, embedding=512)

CONFIGS = {
    "tiny": TrainConfig(_NARROW, steps=4, pairs=4, memory=32),
    "small": TrainConfig(),
    "paper": TrainConfig(_WIDE, steps=200_000, pairs=256, average=0.9998, memory=8192),
}
