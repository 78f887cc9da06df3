"""The output folder: a folder of this machine, or an fsspec URL that finished files are put to."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from batch.ranks import Ranks
from batch.sentences import in_short
from batch.sources import filesystem, is_remote
from batch.tars import FOLDER as TARS
from facerecon.images import atomic_write
from facerecon.types import FaceReconError

MANIFEST = "manifest.jsonl"
_SAVE_EVERY_S = 30.0


class PlaceError(FaceReconError):
    """A store that refuses a file, and why."""


@dataclass(frozen=True)
class Place:
    """Where results go.

    Attributes:
        location: a path or an fsspec URL.
        tars: results are packed into tars, see :mod:`batch.tars`.
    """

    location: str
    tars: bool = False

    @property
    def remote(self) -> bool:
        """Whether it is a URL."""
        return is_remote(self.location)

    @property
    def home(self) -> Path:
        """Where the manifest and the lock are: the folder itself, or for a URL a folder of this machine's cache."""
        if not self.remote:
            return Path(self.location)
        name = hashlib.sha256(self.location.rstrip("/").encode()).hexdigest()[:16]
        return Path.home() / ".cache" / "facerecon" / "batch" / name

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder to write files into; those of a URL, and tars, must be given to :meth:`publish`."""
        if not self.remote and not self.tars:
            yield Path(self.location)
            return
        with tempfile.TemporaryDirectory(prefix="facerecon-out-") as folder:
            yield Path(folder)

    def publish(self, folder: Path, files: Iterable[Path]) -> None:
        """Puts files of a staging folder where they belong; nothing to do where they are there already."""
        if not self.remote:
            for file in files if folder != self.home else ():
                with atomic_write(self.home / file.relative_to(folder)) as part:
                    shutil.copyfile(file, part)
            return
        system, root = filesystem(self.location)
        for file in files:
            target = f"{root.rstrip('/')}/{file.relative_to(folder).as_posix()}"
            self._try(_put, system, file, target)

    def exists(self, files: Iterable[str]) -> bool:
        """Whether all files (paths below the place) are there."""
        if not self.remote:
            return all((Path(self.location) / file).is_file() for file in files)
        system, root = filesystem(self.location)
        return all(self._try(system.exists, f"{root.rstrip('/')}/{file}") for file in files)

    def list_tars(self) -> list[str]:
        """All tars of results, and those half written, as paths below the place."""
        if not self.remote:
            folder = Path(self.location) / TARS
            return [f"{TARS}/{file.name}" for file in sorted(folder.glob("*.tar"))] if folder.is_dir() else []
        system, root = filesystem(self.location)
        folder = f"{root.rstrip('/')}/{TARS}"
        if not self._try(system.exists, folder):
            return []
        return [f"{TARS}/{PurePosixPath(path).name}" for path in self._try(system.ls, folder, False)]

    def remove(self, files: Iterable[str]) -> None:
        """Removes files (paths below the place)."""
        if not self.remote:
            for file in files:
                (Path(self.location) / file).unlink(missing_ok=True)
            return
        system, root = filesystem(self.location)
        for file in files:
            path = f"{root.rstrip('/')}/{file}"
            if self._try(system.exists, path):
                self._try(system.rm_file, path)

    def fetch_manifest(self) -> None:
        """Brings the manifest of a URL here, where this machine has none or an older one."""
        mine = self.home / MANIFEST
        with self.manifest_to_read() as newest:
            if newest == mine:
                return
            if newest.exists():
                mine.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(mine) as part:
                    shutil.copyfile(newest, part)
            else:
                mine.unlink(missing_ok=True)

    @contextmanager
    def manifest_to_read(self) -> Iterator[Path]:
        """The manifest that a run would go on from, where it is or as a copy; it changes nothing, not even for a run that writes."""
        mine = self.home / MANIFEST
        if not self.remote:
            yield mine
            return
        system, root = filesystem(self.location)
        theirs = f"{root.rstrip('/')}/{MANIFEST}"
        there = self._try(system.exists, theirs)
        if there and mine.exists() and self._try(system.size, theirs) <= mine.stat().st_size:
            yield mine
            return
        with tempfile.TemporaryDirectory(prefix="facerecon-") as folder:
            copy = Path(folder) / MANIFEST
            if there:
                self._try(system.get_file, theirs, str(copy))
            yield copy

    def save(self, files: Iterable[Path]) -> None:
        """Puts files of :attr:`home` to a URL, as they are now."""
        self.publish(self.home, [file for file in files if file.exists()])

    def _try(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except Exception as error:  # every protocol has errors of its own
            raise PlaceError(f"{self.location} refuses: {in_short(error)}.") from error


def need_a_folder(output: str, command: str) -> None:
    """Refuses URLs for commands that read back from the output what all photos come to together.

    Raises:
        FaceReconError: the output is a URL.
    """
    if is_remote(output):
        raise FaceReconError(f"{command} writes to a folder of this machine, not to a URL.")


def need_one_machine(place: Place, ranks: Ranks) -> None:
    """Refuses URLs where a launcher started this run on several machines: each has a manifest of its own, and the last one
    that is put to the URL would be all that is left.

    Raises:
        FaceReconError: it did.
    """
    if place.remote and ranks.several_machines:
        raise FaceReconError(
            "A run that is launched on several machines needs an output folder that all of them see, not a URL; "
            "or give each machine a run and an output of its own."
        )


class Saver:
    """Puts the manifest to a URL now and then; does nothing for a local place."""

    def __init__(self, place: Place) -> None:
        self._place, self._last = place, time.monotonic()

    def tick(self) -> None:
        """To be called after each batch."""
        if self._place.remote and time.monotonic() - self._last > _SAVE_EVERY_S:
            self._place.save([self._place.home / MANIFEST])
            self._last = time.monotonic()


def _put(system: Any, file: Path, target: str) -> None:
    system.makedirs(target.rpartition("/")[0], exist_ok=True)
    system.put_file(str(file), target)
