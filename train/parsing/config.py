"""Sizes of the parser's runs: ``tiny`` for tests, ``small`` is what is shipped, ``paper`` for people with GPUs."""

from __future__ import annotations

from dataclasses import dataclass

from facerecon.faces.parsing_network import ParserConfig


@dataclass(frozen=True)
class TrainConfig:
    """One run.

    Attributes:
        network: size of the network.
        steps: updates; the schedule ends there, or with the minutes, whichever is first.
        batch: crops a step of one process.
        real: photos among them.
        lr: peak learning rate of Muon, and of AdamW for the outer layers.
        warmup: steps.
        ema: decay of the averaged weights.
    """

    network: ParserConfig = ParserConfig()
    steps: int = 100_000
    batch: int = 48
    real: int = 16
    lr: float = 2e-3
    warmup: int = 50
    ema: float = 0.995


CONFIGS = {
    "tiny": TrainConfig(ParserConfig(32, (32, 32, 32, 32)), steps=4, batch=2, real=1, warmup=2),
    "small": TrainConfig(),
    # Twice the pixels a side, some ten million parameters.
    "paper": TrainConfig(ParserConfig(256, (64, 128, 256, 256), (2, 2, 2, 2)), ema=0.9998),
}
