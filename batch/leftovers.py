"""Which photos may have files in an output folder already; a look into each of its folders, once."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from facerecon.output_names import photo_of


class Leftovers:
    """Names of photos that had files when first asked about their folder.

    Looking for one photo's files means listing whole folders, which a fresh run of a
    million photos cannot afford for each of them.

    Args:
        output: the output folder.
        folders: those of ``facerecon.output_names.FOLDERS`` to look into.
    """

    def __init__(self, output: Path, folders: list[str]) -> None:
        self._output, self._folders = output, folders
        self._seen: dict[str, set[int]] = {}  # hashes, by the folder that photos lie in

    def __contains__(self, name: str) -> bool:
        path = PurePosixPath(name)
        below = str(path.parent)
        if below not in self._seen:
            self._seen[below] = self._look(below)
        return hash(path.name) in self._seen[below]

    def _look(self, below: str) -> set[int]:
        found: set[int] = set()
        for folder in self._folders:
            place = self._output / folder / below
            if place.is_dir():
                with os.scandir(place) as entries:
                    found |= {hash(photo_of(entry.name, folder)) for entry in entries}
        return found
