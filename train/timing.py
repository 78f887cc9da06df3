"""How long calls take, by the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def milliseconds(work: Callable[[], Any], repeats: int = 8) -> float:
    """Median time of a call; the first of ``repeats`` is not counted."""
    took = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        took.append((time.perf_counter() - started) * 1000)
    return float(np.median(took[1:]))
