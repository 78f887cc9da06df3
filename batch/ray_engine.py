"""The workers are a Ray cluster's: Ray Data gives out the photos and repeats what a lost machine held.

Where ``RAY_ADDRESS`` is set, that cluster is used; otherwise one is started on this
machine. Folders given by path must be there on every machine; URLs are everywhere.
"""

from __future__ import annotations

import itertools
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batch.batching import make_batches
from batch.inputs import Photo
from batch.manifest import Record
from batch.worker import Worker
from facerecon.types import FaceReconError

WINDOW = 20_000  # photos that are handed to Ray at a time, so that the driver's memory is bounded
ROOT = Path(__file__).resolve().parents[1]
_LEFT_AT_HOME = ["runs", "examples", "docs", "tests", ".git", "**/__pycache__"]


def run_on_ray(
    worker: Worker, batches: Iterator[list[Photo]], workers: int, size: int, device: str
) -> Iterator[list[Record]]:
    """The records of all batches, as they are done.

    Args:
        worker: what each actor of the cluster runs.
        batches: what is to be done.
        workers: how many actors.
        size: photos in a batch of an actor.
        device: anything but ``"cpu"`` gives each actor a GPU where the cluster has any.

    Raises:
        FaceReconError: Ray is not installed, or a worker cannot go on.
    """
    ray = _connect(workers)
    photos = itertools.chain.from_iterable(batches)
    gpus = 1 if device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1 else 0
    while window := list(itertools.islice(photos, WINDOW)):
        rows = [{"photo": pickle.dumps(photo)} for photo in window]
        blocks = min(len(rows), max(workers * 4, -(-len(rows) // (8 * size))))
        done = ray.data.from_items(rows, override_num_blocks=blocks).map_batches(
            _Actor,
            fn_constructor_args=[worker],
            batch_size=size,
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=1,
            num_gpus=gpus,
        )
        for batch in done.iter_batches(batch_size=None, batch_format="numpy"):
            answers = [pickle.loads(answer) for answer in batch["answer"]]
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
            yield answers


class _Actor:
    """A worker that holds its networks, in a process of the cluster."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._error: FaceReconError | None = None
        try:
            worker.task.load()
        except FaceReconError as error:
            self._error = error

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """Photos in, records out: both pickled, one a row."""
        try:
            if self._error is not None:
                raise self._error
            photos = [pickle.loads(photo) for photo in batch["photo"]]
            answers: list[Any] = []
            for part in make_batches(photos, len(photos)):
                answers += self._worker.do(part)
        except FaceReconError as error:
            answers = [error]
        return {"answer": [pickle.dumps(answer) for answer in answers]}


def _connect(workers: int) -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise FaceReconError("--engine ray needs Ray: pip install -r requirements-ray.txt.") from error
    if not ray.is_initialized():
        remote = bool(os.environ.get("RAY_ADDRESS"))
        travel = {"runtime_env": {"working_dir": str(ROOT), "excludes": _LEFT_AT_HOME}} if remote else {"num_cpus": workers}
        ray.init(log_to_driver=False, logging_level="error", include_dashboard=False, **travel)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    return ray
