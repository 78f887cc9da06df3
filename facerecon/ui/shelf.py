"""Finished photos in memory, by keys that nobody can guess."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict

from facerecon.ui.results import Finished, GoneError

MOST_RESULTS = 64  # kept in memory, about 4 MB a head


class Shelf:
    """Finished photos in memory, by keys that nobody can guess; the ones used longest ago fall off."""

    def __init__(self, most: int = MOST_RESULTS) -> None:
        self._most, self._lock = most, threading.Lock()
        self._kept: OrderedDict[str, Finished] = OrderedDict()

    def put(self, finished: Finished) -> str:
        """Keeps it; gives its key."""
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[key] = finished
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return key

    def get(self, key: str | None) -> Finished:
        """What was put.

        Raises:
            GoneError: it fell off, or its files were deleted.
        """
        with self._lock:
            finished = self._kept.get(key or "")
            if finished is not None and finished.folder.is_dir():
                self._kept.move_to_end(key)
                return finished
            self._kept.pop(key or "", None)
        raise GoneError("This result is no longer kept. Run the photo again.")
