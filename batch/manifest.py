"""The record of a run: one line of JSON a photo, safe against a kill at any moment.

A line is appended and flushed to the disk only after all files of its photo are in
place, so that a photo either has its line and its files, or is done again. Lines of
another kind say what settings a key in the records stands for. Only an index is held
in memory: a million photos take about 260 MB.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from batch.names import name_bytes

_STAGES = 16  # bits, one for each name of a stage


@dataclass(frozen=True)
class Record:
    """What became of one photo.

    Attributes:
        name: stem of its files in the output folder.
        input: its path below the input folder.
        status: ``"done"`` or ``"failed"``.
        stages: those that were asked for, such as ``"restoration"``.
        content: what changes with the photo's bytes, or None when it could not be read.
        settings: digest of all that changes the result (see :func:`digest`).
        files: what was written, relative to the output folder.
        error: one sentence, for a failed photo.
        notes: sentences on what was odd about the photo, such as that it was reduced.
        figures: by stage, what the statistics say.
        seconds: duration.
    """

    name: str
    input: str
    status: str
    stages: tuple[str, ...]
    content: str | None
    settings: str
    files: tuple[str, ...] = ()
    error: str | None = None
    notes: tuple[str, ...] = ()
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0


class Manifest:
    """``manifest.jsonl`` of an output folder.

    Args:
        path: the file; made with the first record.
        shared: other processes append to it, too, so that it must not be mended.

    Attributes:
        path: the file.
        settings: by key, the settings that records were made with.
    """

    def __init__(self, path: Path, shared: bool = False) -> None:
        self.path = path
        self.settings: dict[str, dict[str, Any]] = {}
        self._bits: dict[str, int] = {}  # a bit for each stage
        self._by_name: dict[int, int] = {}  # where the newest record begins, and the bits of its stages
        self._older: dict[tuple[int, str], int] = {}  # where the newest record of a stage begins that it leaves out
        self._by_input: dict[int, int] = {}
        self._size, self._shared = 0, shared
        if path.exists():
            self._read()

    def __len__(self) -> int:
        return len(self._by_input)

    def declare(self, key: str, settings: dict[str, Any]) -> None:
        """Writes down what ``key`` stands for, once."""
        if key not in self.settings:
            self._append([json.dumps({"key": key, "settings": settings}, default=str)])
            self.settings[key] = settings

    def append(self, records: Iterable[Record]) -> None:
        """Adds records and waits until they are on the disk."""
        records = list(records)
        starts = self._append([json.dumps(asdict(record)) for record in records])
        for start, record in zip(starts, records):
            self._remember(record, start)

    def reread(self) -> Manifest:
        """The manifest as it is on the disk now, with what other processes appended."""
        return Manifest(self.path, shared=True)

    def find(self, name: str, stages: Iterable[str]) -> Record | None:
        """The record that holds the newest word on all ``stages`` of a photo, or None where they differ."""
        key = _short_hash(name)
        starts = {self._newest(key, stage) for stage in stages}
        (start,) = starts if len(starts) == 1 else (None,)
        record = None if start is None else self._at(start)
        return record if record is not None and record.name == name else None

    def find_input(self, relative: str) -> Record | None:
        """The newest record of a photo by its path below the input folder."""
        start = self._by_input.get(_short_hash(relative))
        record = None if start is None else self._at(start)
        return record if record is not None and record.input == relative else None

    def of_stage(self, stage: str) -> Iterator[Record]:
        """The newest record of each photo that went through a stage, by name."""
        newest: dict[str, tuple[str, int]] = {}
        for start, record in self._records():
            if stage in record.stages:
                newest[record.input] = (record.name, start)
        by_name: dict[str, int] = {}  # where a.png took the place of a.jpg, both called a, the files are the newer one's
        for name, start in newest.values():
            by_name[name] = max(start, by_name.get(name, 0))
        order = sorted(by_name.items())
        del newest, by_name
        with self.path.open("rb") if order else open(os.devnull, "rb") as file:
            for _, start in order:
                file.seek(start)
                record = _parse(file.readline())
                if record is not None:
                    yield record

    def newest(self) -> Iterator[Record]:
        """The newest record of each photo and stage, some of them more than once."""
        for stage in tuple(self._bits):
            yield from self.of_stage(stage)

    def _append(self, lines: list[str]) -> list[int]:
        """Adds lines in one write; where each begins."""
        if not lines:
            return []
        raw = [line.encode() + b"\n" for line in lines]
        if self._shared:
            raw[0] = b"\n" + raw[0]  # half a line that a killed process left must not spoil this one
        self.path.parent.mkdir(parents=True, exist_ok=True)
        before = self._size
        with self.path.open("ab", buffering=0) as file:
            try:
                written = file.write(b"".join(raw))
                if written != sum(map(len, raw)):
                    raise OSError(errno.ENOSPC, "No space left on device")
                os.fsync(file.fileno())
            except OSError:
                if not self._shared and os.fstat(file.fileno()).st_size > before:
                    os.ftruncate(file.fileno(), before)  # half a line that a full disk left
                raise
            end = os.lseek(file.fileno(), 0, os.SEEK_CUR)
        starts, self._size = [], end
        for line in reversed(raw):
            end -= len(line)
            starts.append(end + line.startswith(b"\n"))
        return starts[::-1]

    def _read(self) -> None:
        with self.path.open("rb") as file:
            for start, line in _lines(file):
                self._take(line, start)
                self._size = start + len(line)
        excess = self.path.stat().st_size - self._size
        if excess and not self._shared:  # a kill cut the last line short
            os.truncate(self.path, self._size)

    def _take(self, line: bytes, start: int) -> None:
        record = _parse(line)
        if record is not None:
            self._remember(record, start)
        elif line.startswith(b'{"key"'):
            try:
                values = json.loads(line)
                self.settings[str(values["key"])] = dict(values["settings"])
            except (ValueError, TypeError, KeyError):
                return  # damaged: it is declared anew

    def _records(self) -> Iterator[tuple[int, Record]]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for start, line in _lines(file):
                record = _parse(line)
                if record is not None:
                    yield start, record

    def _at(self, start: int) -> Record | None:
        with self.path.open("rb") as file:
            file.seek(start)
            return _parse(file.readline())

    def _remember(self, record: Record, start: int) -> None:
        for stage in record.stages:
            self._bits.setdefault(stage, 1 << len(self._bits))
        key, mask = _short_hash(record.name), sum(self._bits[stage] for stage in set(record.stages))
        before = self._by_name.get(key, 0)
        for stage, bit in self._bits.items():
            if mask & bit:
                self._older.pop((key, stage), None)
            elif before & bit:
                self._older[key, stage] = before >> _STAGES
        self._by_name[key] = start << _STAGES | mask
        self._by_input[_short_hash(record.input)] = start

    def _newest(self, key: int, stage: str) -> int | None:
        value, bit = self._by_name.get(key, 0), self._bits.get(stage, 0)
        return value >> _STAGES if value & bit else self._older.get((key, stage))


def digest(values: dict[str, Any]) -> str:
    """Short, stable name of a set of settings."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _lines(file: Any) -> Iterator[tuple[int, bytes]]:
    """Whole lines, and where each begins."""
    start = 0
    for line in file:
        if line.endswith(b"\n"):
            yield start, line
        start += len(line)


def _short_hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(name_bytes(text), digest_size=8).digest(), "big")


def _parse(line: bytes) -> Record | None:
    try:
        values = json.loads(line)
        return Record(**{**values, **{key: tuple(values[key]) for key in ("stages", "files", "notes")}})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None  # not ours, or damaged: the photo is done again
