"""Does batches of photos: reads, computes, writes. Every engine runs this."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from batch.inputs import Photo
from batch.manifest import Record
from batch.place import Place
from batch.reading import read_photo
from batch.sources import content_key
from batch.tars import pack
from batch.task import Loaded, Task
from facerecon.types import FaceReconError

logger = logging.getLogger("facerecon.batch")
AHEAD = 1  # batches that are read ahead, and that wait to be written


class DiskFullError(FaceReconError):
    """The disk is full: no further photo can be done."""


@dataclass
class _Item:
    """A photo on its way: its record so far, and what it has become."""

    photo: Photo
    record: Record
    loaded: Loaded | None = None
    result: Any = None
    seconds: float = 0.0
    error: Exception | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class Worker:
    """Does what a task says.

    Attributes:
        task: what is done.
        place: where results go.
        key: digest of settings and versions, for the records.
    """

    task: Task
    place: Place
    key: str

    def do(self, batch: list[Photo]) -> list[Record]:
        """The records of a batch, in order.

        Raises:
            DiskFullError: nothing more can be written.
        """
        return self._write(self._compute(self._read(batch)))

    def stream(self, next_batch: Callable[[bool], list[Photo] | None]) -> Iterator[list[Record]]:
        """As :meth:`do` for many batches; reading, computing and writing overlap, ``AHEAD`` batches deep.

        Args:
            next_batch: gives a batch; an empty list at the end; None when asked not to wait and none is there.
        """
        reading: deque[Future[list[_Item]]] = deque()
        writing: deque[Future[list[Record]]] = deque()
        more = True
        with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
            try:
                while more or reading or writing:
                    while more and len(reading) <= AHEAD:
                        batch = next_batch(not reading and not writing)
                        if batch is None:
                            break
                        more = bool(batch)
                        if more:
                            reading.append(reader.submit(self._read, batch))
                    if reading:
                        writing.append(writer.submit(self._write, self._compute(reading.popleft().result())))
                    if writing and (len(writing) > AHEAD or not reading):
                        yield writing.popleft().result()
            finally:
                for future in (*reading, *writing):
                    future.cancel()

    def _read(self, batch: list[Photo]) -> list[_Item]:
        return [self._read_one(photo) for photo in batch]

    def _read_one(self, photo: Photo) -> _Item:
        record = Record(photo.name, photo.relative, "failed", self.task.stages, None, self.key)
        item = _Item(photo, record)
        with self._timed(item):
            if not (self.place.remote or self.place.tars):  # before it counts as read: what it would replace stays
                self.task.refuse_taken(self.place.home, photo.name)
            item.record = replace(record, content=content_key(photo))
            item.loaded = read_photo(photo, self.task.max_side)
            self.task.prepare(item.loaded)
        return item

    def _compute(self, items: list[_Item]) -> list[_Item]:
        started = time.perf_counter()
        alive = [item for item in items if item.error is None and item.loaded is not None]
        if not alive:
            return items
        try:
            results = self.task.compute([item.loaded for item in alive if item.loaded])
        except Exception as error:
            results = [error] * len(alive)
        share = (time.perf_counter() - started) / len(alive)
        for item, result in zip(alive, results):
            item.seconds += share
            item.result, item.error = (None, result) if isinstance(result, Exception) else (result, None)
        return items

    def _write(self, items: list[_Item]) -> list[Record]:
        if not self.place.tars:
            return [self._write_one(item) for item in items]
        with self.place.staging() as folder:
            packed = replace(self, place=Place(str(folder)))
            records = [packed._write_one(item) for item in items]
            try:
                tar, named = pack(folder, records)
                self.place.publish(folder, [tar] if tar else [])
            except Exception as error:  # a store that refuses the tar must not end the run
                raise_if_full(error)
                failure = {"status": "failed", "files": (), "figures": {}, "error": _reason(error)}
                return [replace(record, **failure) if record.status == "done" else record for record in records]
            return named

    def _write_one(self, item: _Item) -> Record:
        record = item.record
        with self._timed(item):
            with self.place.staging() as folder:
                if item.record.content is not None:  # a disk that is away for a moment costs no results
                    self._remove_old(item.photo, folder)
                if item.error is None:
                    outcome = self.task.write(folder, item.loaded, item.result)
                    self.place.publish(folder, outcome.files)
                    files = tuple(file.relative_to(folder).as_posix() for file in outcome.files)
                    record = replace(record, status="done", files=files, figures=outcome.figures)
        if item.error is not None:
            if item.result is not None and not self.place.remote:
                self.task.clear(self.place.home, item.photo.name)  # what was written before something went wrong
            raise_if_full(item.error)
            record = replace(item.record, error=_reason(item.error))
        return replace(record, notes=tuple(item.notes), seconds=round(item.seconds, 3))

    def _remove_old(self, photo: Photo, folder: Path) -> None:
        """Removes what earlier runs left of a photo; not before it is known what becomes of it now."""
        more = not self.place.remote and self.task.may_have_files(folder, photo.name, photo.stale)
        self.place.remove(photo.stale)
        if more:
            self.task.clear(folder, photo.name)

    @contextmanager
    def _timed(self, item: _Item) -> Iterator[None]:
        """Adds up seconds and warnings; whatever is wrong with one photo must not cost the others."""
        started = time.perf_counter()
        with _warnings(item.notes):
            try:
                yield
            except Exception as error:
                item.error = error
        item.seconds += time.perf_counter() - started


def raise_if_full(error: BaseException) -> None:
    """Raises DiskFullError where an error has a full disk as its cause."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DiskFullError):
            raise cause
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            sentence = "The disk is full: make room and run the same command again, which goes on from here."
            raise DiskFullError(sentence) from error
        cause = cause.__cause__


def _reason(error: Exception) -> str:
    """One sentence on one line."""
    text = str(error)
    if isinstance(error, MemoryError):
        text = "The photo does not fit into memory"
    elif not isinstance(error, FaceReconError):
        logger.debug("a fault of ours", exc_info=error)
        text = f"An unexpected {type(error).__name__} came up: {error}"
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


@contextmanager
def _warnings(notes: list[str]) -> Iterator[None]:
    """Collects what the parts of the pipeline warn of in this thread, so that it reaches the photo's record."""
    thread = threading.get_ident()

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                notes.append(record.getMessage())

    collector = Collector(logging.WARNING)
    logging.getLogger("facerecon").addHandler(collector)
    try:
        yield
    finally:
        logging.getLogger("facerecon").removeHandler(collector)
