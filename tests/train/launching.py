"""Two processes that share a run, with what ``torchrun --nproc_per_node 2`` tells its own.

They are started once and wait for the next test: importing torch takes far longer than a tiny run.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import Any

import pytest
import torch

from train.loop import Run

SECONDS = 120  # that processes which wait for each other in vain are waited for


def in_two_processes(work: Callable[..., Any], *args: Any) -> None:
    """Calls ``work(rank, *args)``, a function of a module, in both at once; it leaves the process as it found it.

    Raises:
        AssertionError: one of them raises, or hangs.
    """
    pair = _pair()
    for _, connection in pair:
        connection.send((work, args))
    waiting, failures = [connection for _, connection in pair], []
    while waiting and not failures:
        ready = wait(waiting, SECONDS)
        failures = [said for connection in ready if (said := connection.recv())] if ready else ["They hang."]
        waiting = [connection for connection in waiting if connection not in ready]
    if failures:  # the other one may wait for it
        for process, _ in pair:
            process.kill()
        _pair.cache_clear()
    assert not failures, failures[0]


def place_of_batches(trainer: ModuleType, work: Callable[[], Any]) -> tuple[int, int]:
    """The place for which a trainer draws batches as the second of three processes, while ``work`` runs it without a step."""
    given: list[tuple[int, int]] = []

    def stream(dataset: Any, first: int, stop: int, workers: int, place: tuple[int, int] = (0, 1)) -> Iterator:
        given.append(place)
        return iter(())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "place", (1, 3))
        patch.setattr(trainer, "stream", stream)
        work()
    return given[0]


@cache
def _pair() -> list[tuple[multiprocessing.Process, Connection]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context, pair = multiprocessing.get_context("spawn"), []
    for rank in (0, 1):
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(rank, port, theirs), daemon=True)
        process.start()
        theirs.close()
        pair.append((process, ours))
    return pair


def _serve(rank: int, port: int, connection: Connection) -> None:
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in places.items()})
    os.environ.update(MASTER_ADDR="127.0.0.1", ACCELERATE_USE_CPU="true", CUDA_VISIBLE_DEVICES="")
    torch.set_num_threads(1)
    while True:
        work, args = connection.recv()
        try:
            work(rank, *args)
            connection.send(None)
        except BaseException:  # whatever it is, the test tells it
            connection.send(traceback.format_exc())
