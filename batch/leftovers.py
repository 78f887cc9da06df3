"""Which photos have files in an output folder already; a look into each of its folders, once."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from facerecon.output_names import photo_of


class Leftovers:
    """What photos had of files when first asked about their folder.

    Looking for one photo's files means listing whole folders, which neither a fresh run of a
    million photos nor one that does them again can afford for each of them.

    Args:
        output: the output folder.
        folders: those of ``facerecon.output_names.FOLDERS`` to look into.
    """

    def __init__(self, output: Path, folders: list[str]) -> None:
        self._output, self._folders = output, folders
        self._seen: dict[str, dict[int, int]] = {}  # by the folder that photos lie in: by name, all files; hashes

    def has(self, name: str, but: Iterable[str] = ()) -> bool:
        """Whether a photo had other files than those, which are paths below the output folder."""
        path = PurePosixPath(name)
        below = str(path.parent)
        if below not in self._seen:
            self._seen[below] = self._look(below)
        files = self._seen[below].get(hash(path.name), 0)
        for file in but:
            files ^= hash(file)
        return files != 0

    def _look(self, below: str) -> dict[int, int]:
        found: dict[int, int] = defaultdict(int)
        for folder in self._folders:
            prefix = folder if below == "." else f"{folder}/{below}"
            place = self._output / prefix
            if place.is_dir():
                with os.scandir(place) as entries:
                    for entry in entries:
                        found[hash(photo_of(entry.name, folder))] ^= hash(f"{prefix}/{entry.name}")
        return dict(found)
