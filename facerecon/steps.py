"""The steps of a long call: their seconds, and somebody who is told as they go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

StepListener = Callable[[str, float | None], None]
"""Called with a step's name and None when it begins, its seconds when it has ended well."""


@dataclass
class Steps:
    """Times named steps.

    Attributes:
        listener: told of each step, in the thread that does the work.
        seconds: of each step that has ended; a name that comes again adds up.
    """

    listener: StepListener | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step."""
        self._tell(name, None)
        started = time.perf_counter()
        yield
        took = time.perf_counter() - started
        self.seconds[name] = self.seconds.get(name, 0.0) + took
        self._tell(name, took)

    def _tell(self, name: str, seconds: float | None) -> None:
        if self.listener is not None:
            self.listener(name, seconds)
