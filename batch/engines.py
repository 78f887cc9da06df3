"""Who does the work: this process, several of this machine, or a Ray cluster."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

from batch.checks import ENGINES
from batch.inputs import Photo
from batch.manifest import Record
from batch.options import EngineOptions
from batch.worker import Worker
from facerecon.types import FaceReconError

MOST_BY_DEFAULT = 8
Batches = Iterator[list[Photo]]


def start(options: EngineOptions, worker: Worker, batches: Batches, total: int) -> Iterator[list[Record]]:
    """The records of all batches as they are done; begins nothing where there is no batch.

    Raises:
        FaceReconError: the engine is unknown or missing, a network cannot be loaded.
        DiskFullError: nothing more can be written.
    """
    if options.engine not in ENGINES:
        raise FaceReconError(f"There is no engine called {options.engine!r}: use {' or '.join(ENGINES)}.")
    first = next(batches, None)
    if first is None:
        return
    batches = itertools.chain([first], batches)
    workers = default_workers(total) if options.num_workers is None else options.num_workers
    if options.engine == "ray":
        from batch.ray_engine import run_on_ray

        yield from run_on_ray(worker, batches, max(workers, 1), options.batch_size, options.device)
    elif workers == 0:
        worker.task.load()
        yield from worker.stream(lambda wait: next(batches, []))
    else:
        from batch.processes import run_in_processes

        yield from run_in_processes(worker, batches, workers)


def default_workers(total: int) -> int:
    """One process for two photos, at most one a core; none of their own for a handful."""
    return 0 if total < 4 else min(total // 2, os.cpu_count() or 1, MOST_BY_DEFAULT)
