"""Results that a visitor chose to share: a link that anybody may open, kept for a stated time."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from facerecon.ui.limits import MAX_SHARED_BYTES, SHARED_SECONDS, kept_root
from facerecon.ui.results import EVERYTHING, Finished, GoneError, export, reopen
from facerecon.ui.visitors import remove_old

PARAMETER = "share"  # of the page's address
FORMATS = ("obj", "ply", "gltf")  # GLB and parameters are there already
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")


def keep(finished: Finished, model: Any) -> str:
    """Copies a result to where links open it; gives the link's token.

    Raises:
        GoneError: the result's files are not there any more.
    """
    for head in finished.heads:
        for kind in FORMATS:
            export(finished, head.number, kind, model)
    token = secrets.token_urlsafe(16)
    aside = _root() / f".{token}"
    shutil.copytree(finished.folder, aside, ignore=shutil.ignore_patterns(EVERYTHING))  # made again for who wants it
    os.utime(aside)  # its time begins now
    aside.rename(_root() / token)
    return token


def open_shared(token: str) -> Finished:
    """The result behind a link.

    Raises:
        GoneError: no such link, or its time is over.
    """
    folder = _root() / token
    if not _TOKEN.fullmatch(token) or not folder.is_dir() or time.time() - folder.stat().st_mtime > SHARED_SECONDS:
        raise GoneError(f"This link is not valid any more: results are kept for {SHARED_SECONDS // 3600} hours.")
    return reopen(folder)


def kept_until(now: float | None = None) -> str:
    """When a link made now stops working, in words."""
    end = datetime.fromtimestamp((time.time() if now is None else now) + SHARED_SECONDS, timezone.utc)
    return f"{end:%d %B, %H:%M} UTC"


def sweep(now: float | None = None) -> None:
    """Removes what has been kept long enough."""
    remove_old(_root().glob("*"), SHARED_SECONDS, MAX_SHARED_BYTES, now)


def _root() -> Path:
    return kept_root() / "shared"
