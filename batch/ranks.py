"""Shares the photos among the processes that ``accelerate launch`` or ``torchrun`` started."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from batch.inputs import Photo


@dataclass(frozen=True)
class Ranks:
    """This process's place among equals.

    Attributes:
        rank: its number, from 0.
        world: how many there are.
        local: its number on this machine, which picks its GPU.
        several_machines: whether some of them are on another machine, as far as the launcher says.
    """

    rank: int = 0
    world: int = 1
    local: int = 0
    several_machines: bool = False

    @classmethod
    def of_this_process(cls) -> Ranks:
        """From the variables that launchers set."""
        rank, world, local = (int(os.environ.get(name, "0") or 0) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        here = int(os.environ.get("LOCAL_WORLD_SIZE") or world)
        return cls(rank, world, local, world > here) if world > 1 else cls()

    @property
    def member(self) -> int | None:
        """Its number, or None when it is alone."""
        return self.rank if self.world > 1 else None

    def share(self, photos: Iterable[Photo]) -> Iterator[Photo]:
        """Every ``world``-th photo."""
        return islice(photos, self.rank, None, self.world)

    def share_of(self, total: int) -> int:
        """How many of ``total`` photos are its own."""
        return len(range(self.rank, total, self.world))

    def device(self, asked: str) -> str:
        """The device of this process: its own GPU where ``auto`` or ``cuda`` was asked for and there are several."""
        if self.world == 1 or asked not in ("auto", "cuda"):
            return asked
        import torch

        return f"cuda:{self.local % torch.cuda.device_count()}" if torch.cuda.is_available() else asked

    def wait(self) -> None:
        """Until all have come here: a launcher stops the others as soon as one ends with a failure."""
        if self.world > 1:
            from accelerate import PartialState

            PartialState().wait_for_everyone()
