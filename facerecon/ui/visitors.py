"""A folder for each visitor, inside gradio's cache, removed when the visitor leaves or runs again."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from gradio.utils import get_upload_folder

_FOLDER = "visitors"


def new_folder(session: str | None) -> Path:
    """An empty folder for a visitor's next result; the one before is removed."""
    forget(session)
    place = _place(session)
    place.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=place))  # a name that cannot be guessed


def forget(session: str | None) -> None:
    """Removes all that a visitor's runs wrote."""
    shutil.rmtree(_place(session), ignore_errors=True)


def forget_all() -> None:
    """Removes what an earlier server left."""
    shutil.rmtree(Path(get_upload_folder()) / _FOLDER, ignore_errors=True)


def _place(session: str | None) -> Path:
    return Path(get_upload_folder()) / _FOLDER / (session or "local")
