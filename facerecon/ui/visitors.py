"""A folder for each run of a visitor, removed when the visitor leaves, runs often, or after an hour."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from facerecon.ui.limits import KEPT_SECONDS, MAX_VISITORS_BYTES, RUNS_KEPT, private_root

SWEEP_SECONDS = 120


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
    """Removes what an earlier server left."""
    shutil.rmtree(_root(), ignore_errors=True)


def sweep(now: float | None = None) -> None:
    """Removes runs older than ``KEPT_SECONDS``, and the oldest where all together are too large."""
    remove_old(_root().glob("*/*"), KEPT_SECONDS, MAX_VISITORS_BYTES, now)
    for place in _root().glob("*"):
        with suppress(OSError):  # not empty
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
                each()
            time.sleep(SWEEP_SECONDS)

    thread = threading.Thread(target=work, daemon=True, name="sweep")
    thread.start()
    return thread


def _root() -> Path:
    return private_root() / "visitors"


def _place(session: str | None) -> Path:
    """Named by a digest: the client chooses the name of its session, and could choose ``../..``."""
    return _root() / hashlib.sha256((session or "local").encode()).hexdigest()[:32]


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
