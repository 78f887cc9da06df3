"""How long a run is, by steps or by the clock, and its learning rate on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from train.checkpointing import cosine_lr

FINE, COARSE = 100_000, 10_000  # parts that cosines over shares of a run are counted in


@dataclass(frozen=True)
class Schedule:
    """The length of a run, and its learning rate.

    Attributes:
        steps: updates; the run ends there, or with the minutes, whichever is first.
        rate: the learning rate, from the number of a step and the share of the run, 0 to 1, that is over.
        minutes: of training, None for as long as it takes.
    """

    steps: int
    rate: Callable[[int, float], float]
    minutes: float | None = None

    @classmethod
    def stepped(cls, steps: int, lr: float, warmup: int = 100) -> Schedule:
        """``warmup`` steps up to ``lr``, then a cosine over the others."""
        return cls(steps, lambda step, share: cosine_lr(step, steps, lr, warmup))

    @classmethod
    def warmed(cls, steps: int, lr: float, warmup: int, minutes: float | None = None) -> Schedule:
        """A cosine over the whole run, which ``warmup`` steps damp at its beginning."""
        return cls(steps, lambda step, share: min(1.0, (step + 1) / max(warmup, 1)) * cosine_lr(round(share * FINE), FINE, lr, warmup=0), minutes)

    @classmethod
    def timed(cls, steps: int, lr: float, warmup: float, minutes: float | None = None) -> Schedule:
        """A share ``warmup`` of the run up to ``lr``, then a cosine over the rest."""
        return cls(steps, lambda step, share: cosine_lr(round(share * COARSE), COARSE, lr, int(warmup * COARSE)), minutes)

    def share(self, step: int, seconds: float) -> float:
        """How much of the run is over after so many steps and seconds of training; 1 or more at its end."""
        return max(step / max(self.steps, 1), seconds / (60 * self.minutes) if self.minutes else 0.0)
