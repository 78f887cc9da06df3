"""Tables of arrays, and files and folders that are whole or absent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from facerecon.images import atomic_write, sync
from facerecon.types import VideoError

Table = dict[str, np.ndarray]  # columns of equal length


def join_tables(tables: Sequence[Table]) -> Table:
    """The rows of all tables, in order; at least one table."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def select(table: Table, rows: np.ndarray | slice) -> Table:
    """Some rows of a table."""
    return {name: column[rows] for name, column in table.items()}


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes named arrays, whole or not at all."""
    with atomic_write(path) as part, open(part, "wb") as file:
        np.savez(file, **arrays)


def load_arrays(path: Path) -> Table:
    """Reads what :func:`save_arrays` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Gives an empty folder beside ``path``, which takes its name when the block ends well.

    Raises:
        VideoError: the disk refuses (it is full, or may not be written).
    """
    part = path.with_name(f".part-{path.name}")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        for file in part.iterdir():
            sync(file)
        os.replace(part, path)
        sync(path.parent)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise VideoError(f"{path} cannot be written: {error.strerror or error}.") from error
