"""Several processes of this machine share a run; one that dies takes no more than one photo with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from batch.inputs import Photo
from batch.lock import hold_as_worker
from batch.manifest import Record
from batch.sources import content_key
from batch.worker import Worker
from facerecon.types import FaceReconError

IN_FLIGHT = 3  # batches a worker holds: read, computed, written
MOST_DEATHS = 12  # in a row, after which something else than a photo is at fault
_END: list[Photo] = []


def run_in_processes(worker: Worker, batches: Iterator[list[Photo]], number: int) -> Iterator[list[Record]]:
    """The records of all batches, as they are done.

    Batches are handed out as workers get through them, so that at most ``IN_FLIGHT`` a
    worker are held. A worker that is killed (say, for want of memory) is replaced, and
    what it held is done again photo by photo; a photo that kills a worker alone has failed.

    Raises:
        FaceReconError: what a worker could not go on with: a missing network, a full disk.
    """
    pool = _Pool(worker, number)
    try:
        yield from pool.run(batches)
    finally:
        pool.stop()


@dataclass
class _Child:
    process: BaseProcess
    pipe: Connection
    lifeline: Connection
    held: deque[list[Photo]] = field(default_factory=deque)


class _Pool:
    def __init__(self, worker: Worker, number: int) -> None:
        kind = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        self._context: Any = multiprocessing.get_context(kind)
        if kind == "forkserver":  # what is imported once is shared by all
            self._context.set_forkserver_preload(["batch.processes", *worker.task.modules])
        self._worker, self._threads = worker, max(1, (os.cpu_count() or 1) // number)
        self._children = [self._start() for _ in range(number)]
        self._deaths = 0  # since the last answer

    def run(self, batches: Iterator[list[Photo]]) -> Iterator[list[Record]]:
        again: deque[list[Photo]] = deque()
        more = True
        while True:
            while more or again:
                child = min(self._children, key=lambda c: len(c.held))
                if len(child.held) >= IN_FLIGHT:
                    break
                batch = again.popleft() if again else next(batches, _END)
                more = more and bool(batch)
                if batch and not self._give(child, batch):
                    yield from self._bury(child, again)
            busy = [child for child in self._children if child.held]
            if not busy:
                return
            ready = wait([child.pipe for child in busy])
            for child in busy:
                if child.pipe in ready:
                    yield from self._receive(child, again)

    def stop(self) -> None:
        """Ends every worker; what is half written is never taken for whole."""
        for child in self._children:
            child.lifeline.close()
            child.pipe.close()
            child.process.terminate()
        for child in self._children:
            child.process.join()

    def _start(self) -> _Child:
        ours, theirs = self._context.Pipe()
        held, lifeline = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(self._worker, theirs, lifeline, self._threads), daemon=True)
        process.start()
        theirs.close()
        lifeline.close()
        return _Child(process, ours, held)

    def _give(self, child: _Child, batch: list[Photo]) -> bool:
        child.held.append(batch)
        try:
            child.pipe.send(batch)
        except OSError:
            return False
        return True

    def _receive(self, child: _Child, again: deque[list[Photo]]) -> Iterator[list[Record]]:
        try:
            answer = child.pipe.recv()
        except (EOFError, OSError):
            yield from self._bury(child, again)
            return
        if isinstance(answer, Exception):
            raise answer
        child.held.popleft()
        self._deaths = 0
        yield answer

    def _bury(self, child: _Child, again: deque[list[Photo]]) -> Iterator[list[Record]]:
        """Replaces a worker that died; what it held goes to others, its first batch in single photos."""
        child.pipe.close()
        child.lifeline.close()
        child.process.join()
        self._deaths += 1
        if self._deaths > MOST_DEATHS:
            raise FaceReconError(f"Workers are killed one after the other (exit code {child.process.exitcode}): try fewer.")
        first, *others = child.held
        again.extend(others)
        self._children[self._children.index(child)] = self._start()
        if len(first) > 1:
            again.extend([photo] for photo in first)
            return
        reason = f"The process that did it was killed (exit code {child.process.exitcode}), perhaps for want of memory."
        yield [_failed(self._worker, first[0], reason)]


def _failed(worker: Worker, photo: Photo, reason: str) -> Record:
    if worker.place.remote:
        worker.place.remove(photo.stale)
    else:
        worker.task.clear(worker.place.home, photo.name)
    # Its content is noted, so that the next run leaves it alone instead of dying of it again.
    return Record(photo.name, photo.relative, "failed", worker.task.stages, content_key(photo), worker.key, error=reason)


def _serve(worker: Worker, pipe: Connection, lifeline: Connection, threads: int) -> None:
    """A worker's life: takes batches and sends records until the run ends or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the run, which ends its workers
    threading.Thread(target=_die_with_the_run, args=(lifeline,), daemon=True).start()
    folder = None if worker.place.remote else hold_as_worker(worker.place.home)
    try:
        limit_threads(threads)
        worker.task.load()
        for records in worker.stream(lambda patient: pipe.recv() if patient or pipe.poll() else None):
            pipe.send(records)
    except (EOFError, OSError) as error:
        if not isinstance(error, (EOFError, BrokenPipeError)):
            pipe.send(FaceReconError(f"A worker cannot go on: {error}."))
    except FaceReconError as error:
        pipe.send(error)
    except Exception as error:
        pipe.send(FaceReconError(f"A worker met an unexpected {type(error).__name__}: {error}."))
    finally:
        if folder is not None:
            folder.close()


def limit_threads(threads: int) -> None:
    """Lets the libraries of this process use so many cores."""
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def _die_with_the_run(lifeline: Connection) -> None:
    """The other end closes when the run ends, however it ends."""
    try:
        lifeline.recv()
    except (EOFError, OSError):
        pass
    os._exit(1)
