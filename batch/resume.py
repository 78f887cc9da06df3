"""What of a run is done, what is still to do, and what gets written down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from batch.inputs import Listing, Photo
from batch.manifest import Manifest, Record, digest
from batch.options import ResumeOptions
from batch.place import MANIFEST, Place
from batch.ranks import Ranks
from batch.sources import content_key
from batch.statistics import write_statistics
from batch.tars import unnamed
from batch.task import Task
from batch.worker import raise_if_full
from facerecon.types import FaceReconError

logger = logging.getLogger("facerecon.batch")
Report = Callable[[Record, bool], None]  # a photo's record, and whether it is an earlier run's


@dataclass
class Summary:
    """Counts of photos: done now, done before, failed (now or before)."""

    done: int = 0
    skipped: int = 0
    failed: int = 0


@dataclass
class Progress:
    """Knows what is done, and takes down what gets done."""

    task: Task
    place: Place
    manifest: Manifest
    settings: dict[str, Any]
    resume: ResumeOptions
    report: Report
    shared: bool = False  # other processes write to the place, too
    summary: Summary = field(default_factory=Summary)

    def __post_init__(self) -> None:
        self.key = digest(self.settings)
        self._said: set[str] = set()

    def survey(self, listing: Iterable[Photo], ranks: Ranks) -> int:
        """Counts this process's photos, and removes results of photos that go by another name now."""
        if not len(self.manifest):
            return sum(1 for _ in ranks.share(listing)) if ranks.member is not None else _count(listing)
        stale: dict[str, Record] = {}
        total = 0
        for photo in listing:
            total += 1
            record = self.manifest.find_input(photo.relative)
            if record is not None and record.name != photo.name:
                stale[record.name] = record
        if stale:
            for photo in listing:
                stale.pop(photo.name, None)  # that name is another photo's now, which will be done again
        for record in () if self.place.tars else stale.values():  # other photos are in the same tar
            self.place.remove(self.task.own(record.files))
        return ranks.share_of(total)

    def missing(self, photos: Iterable[Photo]) -> Iterator[Photo]:
        """The photos that are to be done; the others are reported."""
        for photo in photos:
            earlier = self.manifest.find(photo.name, self.task.stages)
            if earlier is None:
                yield photo
            elif self.is_valid(earlier, photo):
                self._note(earlier, True)
            else:  # its files stay until the new ones are there to be written: a run may end before
                yield replace(photo, stale=() if self.place.tars else tuple(self.task.own(earlier.files)))

    def is_valid(self, record: Record, photo: Photo) -> bool:
        """Whether a photo needs nothing done; says once what settings changed."""
        if self.resume.force or (self.resume.retry_failed and record.status == "failed"):
            return False
        if record.settings != self.key:
            self._say_what_changed(record.settings)
            return False
        if record.input != photo.relative or record.content is None or record.content != content_key(photo):
            return False
        return self.place.exists(record.files)

    def take(self, records: list[Record]) -> None:
        """Writes down what was done."""
        try:
            self.manifest.declare(self.key, self.settings)
            self.manifest.append([known for record in records if (known := self._news(record)) is not None])
        except OSError as error:
            raise_if_full(error)
            raise FaceReconError(f"{self.manifest.path} cannot be written: {error.strerror or error}.") from error
        for record in records:
            self._note(record, False)

    def finish(self) -> None:
        """Writes the statistics, and removes tars that hold nothing which counts."""
        manifest = self.manifest.reread()
        files = write_statistics(manifest, self.place.home, self.task)
        if self.place.tars and not self.shared:
            self.place.remove(unnamed(self.place.list_tars(), manifest.newest()))
        self.place.save([self.place.home / MANIFEST, *files])

    def _news(self, record: Record) -> Record | None:
        """A record without the stages of which it says nothing new, None where none is left.

        Of a photo that could not be read at all the results stay, and what is known of them.
        """
        if record.content is not None or record.status == "done":
            return record
        earlier = {stage: self.manifest.find(record.name, (stage,)) for stage in record.stages}
        stages = tuple(stage for stage, known in earlier.items() if known is None or known.status != "done")
        return replace(record, stages=stages) if stages else None

    def _note(self, record: Record, earlier: bool) -> None:
        self.summary.failed += record.status == "failed"
        self.summary.skipped += earlier and record.status == "done"
        self.summary.done += not earlier and record.status == "done"
        self.report(record, earlier)

    def _say_what_changed(self, key: str) -> None:
        if key in self._said:
            return
        self._said.add(key)
        old, new = _flat(self.manifest.settings.get(key, {})), _flat(self.settings)
        changes = [f"{name} was {old.get(name, 'not there')}, is {new[name]}" for name in sorted(new) if old.get(name) != new[name]]
        changes = changes if old else []
        what = f" ({'; '.join(changes)})" if changes else ""
        logger.warning("Photos were done with other settings or weights%s: they are done again.", what)


def _count(listing: Iterable[Photo]) -> int:
    return listing.count() if isinstance(listing, Listing) else sum(1 for _ in listing)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as ``{"versions.head": "..."}``."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)
    return flat
