"""The record of a run: one line of JSON a photo, safe against a kill at any moment.

A line is appended and flushed to the disk only after all files of its photo are in
place, so that a photo either has its line and its files, or is done again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESTORATION, RECONSTRUCTION = "restoration", "reconstruction"


@dataclass(frozen=True)
class Record:
    """What became of one photo.

    Attributes:
        name: stem of its files in the output folder.
        input: its path below the input folder.
        status: ``"done"`` or ``"failed"``.
        stages: of ``"restoration"``, ``"reconstruction"``, those that were asked for.
        content: SHA-256 of the photo, or None when it could not be read.
        settings: digest of all that changes the result (see :func:`digest`).
        files: what was written, relative to the output folder.
        error: one sentence, for a failed photo.
        notes: sentences on what was odd about the photo, such as that it was reduced.
        restoration: figures for ``restoration_stats.json``.
        reconstruction: figures for ``reconstruction_stats.json``.
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
    restoration: dict[str, Any] | None = None
    reconstruction: dict[str, Any] | None = None
    seconds: float = 0.0


@dataclass
class Manifest:
    """``manifest.jsonl`` of an output folder.

    Attributes:
        path: the file.
        latest: the last record of each ``(name, stage)``.
    """

    path: Path
    latest: dict[tuple[str, str], Record] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> Manifest:
        """Reads a manifest, or starts one; a line cut short by a kill is dropped from the file."""
        manifest = cls(path)
        if not path.exists():
            return manifest
        raw = path.read_bytes()
        whole = raw.rfind(b"\n") + 1
        if whole < len(raw):
            with path.open("r+b") as file:
                file.truncate(whole)
        for line in raw[:whole].splitlines():
            record = _parse(line)
            if record is not None:
                manifest._remember(record)
        return manifest

    def append(self, record: Record) -> None:
        """Adds a record and waits until it is on the disk."""
        line = json.dumps(asdict(record)) + "\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        self._remember(record)

    def find(self, name: str, stages: Iterable[str]) -> Record | None:
        """The record that holds the newest word on all ``stages`` of a photo, or None where they differ."""
        records = [self.latest.get((name, stage)) for stage in stages]
        first = records[0]
        return first if all(record is first for record in records) else None

    def of_stage(self, stage: str) -> list[Record]:
        """The newest record of each photo that went through a stage, sorted by name."""
        newest = {record.input: record for (_, of), record in self.latest.items() if of == stage}
        return sorted(newest.values(), key=lambda record: record.name)

    def _remember(self, record: Record) -> None:
        for stage in record.stages:
            self.latest.pop((record.name, stage), None)  # so that the order stays that of time
            self.latest[record.name, stage] = record


def digest(values: dict[str, Any]) -> str:
    """Short, stable name of a set of settings."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; raises OSError when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(line: bytes) -> Record | None:
    try:
        values = json.loads(line)
        return Record(**{**values, **{key: tuple(values[key]) for key in ("stages", "files", "notes")}})
    except (ValueError, TypeError, KeyError):
        return None  # not ours, or damaged: the photo is done again
