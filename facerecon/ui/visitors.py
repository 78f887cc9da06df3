"""A folder for each run of a visitor, removed when the visitor leaves, runs often, or after an hour."""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

from facerecon.ui.limits import KEPT_SECONDS, MAX_VISITORS_BYTES, RUNS_KEPT, private_root

try:
    import fcntl
except ImportError:  # Windows has no advisory locks of this kind
    fcntl = None  # type: ignore[assignment]

SWEEP_SECONDS = 120
LOCK = ".lock"
_OURS = secrets.token_hex(8)  # the folder of this process: several servers may share a cache
_held: dict[Path, IO[str]] = {}  # locks of such folders; the system lets go of them when the process ends


def new_folder(session: str | None) -> Path:
    """An empty folder for a visitor's next run; only the last few runs are kept."""
    place = _place(session)
    place.mkdir(parents=True, exist_ok=True)
    for old in _by_age(place)[RUNS_KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
    folder = place / secrets.token_urlsafe(16)
    folder.mkdir(parents=True)
    return folder


def forget(session: str | None) -> None:
    """Removes all that a visitor's runs wrote."""
    shutil.rmtree(_place(session), ignore_errors=True)


def forget_all() -> None:
    """Removes what servers that have ended left, and holds what this one will write.

    Where the system or the disk has no locks nobody can tell who has ended: sweeping removes it all in time.
    """
    _root().mkdir(parents=True, exist_ok=True)
    with (_root() / LOCK).open("a") as door:  # nobody may come in while it is looked who is there
        _lock(door, wait=True)
        for folder in _root().iterdir():
            if folder.is_dir() and folder.name != _OURS and not _is_held(folder):
                shutil.rmtree(folder, ignore_errors=True)
        ours = _root() / _OURS
        if ours not in _held:
            ours.mkdir(exist_ok=True)
            _held[ours] = (ours / LOCK).open("a")
            _lock(_held[ours])


def sweep(now: float | None = None) -> None:
    """Removes runs older than ``KEPT_SECONDS``, and the oldest where all together are too large."""
    remove_old(_root().glob("*/*/*"), KEPT_SECONDS, MAX_VISITORS_BYTES, now)
    for place in _root().glob("*/*"):
        with suppress(OSError):  # not empty, or no folder
            place.rmdir()


def remove_old(folders: Iterable[Path], seconds: float, most_bytes: int, now: float | None = None) -> None:
    """Removes folders older than ``seconds``, and the oldest beyond ``most_bytes`` in all."""
    now = time.time() if now is None else now
    total = 0
    for folder in sorted(folders, key=_modified, reverse=True):
        total += _bytes(folder)
        if now - _modified(folder) > seconds or total > most_bytes:
            shutil.rmtree(folder, ignore_errors=True)


def sweep_forever(*sweeps: Callable[[], None]) -> threading.Thread:
    """Calls every sweep now and then, in a thread that ends with the program."""

    def work() -> None:
        while True:
            for each in sweeps:
                try:
                    each()
                except OSError:  # a folder was removed while it was read: next time it is not there
                    logging.getLogger(__name__).warning("a sweep was cut short", exc_info=True)
            time.sleep(SWEEP_SECONDS)

    thread = threading.Thread(target=work, daemon=True, name="sweep")
    thread.start()
    return thread


def _root() -> Path:
    return private_root() / "visitors"


def _place(session: str | None) -> Path:
    """Named by a digest: the client chooses the name of its session, and could choose ``../..``."""
    return _root() / _OURS / hashlib.sha256((session or "local").encode()).hexdigest()[:32]


def _is_held(folder: Path) -> bool:
    try:
        with (folder / LOCK).open("a") as file:
            return not _lock(file)
    except OSError:
        return True


def _lock(file: IO[str], wait: bool = False) -> bool:
    """Whether the lock of a file was to be had."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody else has it, or the file system knows no locks
        return False
    return True


def _by_age(place: Path) -> list[Path]:
    return sorted(place.iterdir(), key=_modified, reverse=True)


def _bytes(folder: Path) -> int:
    try:
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    except OSError:  # another thread has just removed it
        return 0


def _modified(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:  # another thread has just removed it
        return 0.0
