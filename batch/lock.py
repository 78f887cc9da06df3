"""One run at a time in an output folder."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from batch.session import BusyError
from facerecon.types import FaceReconError

try:
    import fcntl
except ImportError:  # Windows has no advisory locks of this kind
    fcntl = None  # type: ignore[assignment]

LOCK, WORKERS_LOCK = ".lock", ".lock-workers"
PATIENCE_S = 60.0  # for workers of a run that was killed a moment ago


@contextmanager
def locked(folder: Path, member: int | None = None) -> Iterator[None]:
    """Holds an output folder; the system lets go of it when the process ends, however that happens.

    Args:
        folder: made where missing.
        member: number of this process where several were launched to share the folder.

    Raises:
        BusyError: another run holds it.
        FaceReconError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+")
    except OSError as error:
        raise FaceReconError(f"The output folder {folder} cannot be written to: {error.strerror}.") from error
    with file:
        if member is None:
            _take(file, folder, exclusive=True)
            _wait_for_orphans(folder)
            _sign(file)
            yield
        else:
            _take(file, folder, exclusive=False)
            with (folder / f"{LOCK}-{member}").open("a+") as mine:
                _take(mine, folder, exclusive=True)
                _sign(mine)
                yield


def hold_as_worker(folder: Path) -> IO[str] | None:
    """Marks the folder as written to by a worker, until the process ends or the file is closed."""
    file = (folder / WORKERS_LOCK).open("a+")
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_SH)
    return file


def _take(file: IO[str], folder: Path, exclusive: bool) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip()
        who = f" ({holder})" if holder else ""
        raise BusyError(
            f"Another run{who} is writing to {folder}: wait for it to end, stop it, or give another output folder."
        ) from None
    except OSError:  # a file system without locks
        return


def _wait_for_orphans(folder: Path) -> None:
    """Workers whose run was killed write their last file and go; until then nothing new is begun."""
    if fcntl is None:
        return
    with (folder / WORKERS_LOCK).open("a+") as file:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise BusyError(f"Workers of an earlier run are still writing to {folder}.") from None
                time.sleep(0.02)
            except OSError:
                return


def _sign(file: IO[str]) -> None:
    """So that whoever comes next can say who is in the way; a full disk must not matter."""
    try:
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
    except OSError:
        pass
