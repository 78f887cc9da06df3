"""Which photos a run takes, and what their results are called."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facerecon.outputs import FOLDERS
from facerecon.types import FaceReconError

SUFFIXES = frozenset(".jpg .jpeg .jpe .png .webp .bmp .tif .tiff .gif .ppm .pgm".split())


@dataclass(frozen=True)
class Photo:
    """One photo of a run.

    Attributes:
        path: the file.
        relative: its path below the input folder, with forward slashes.
        name: stem of its results, which may hold folders; see :func:`name_photos`.
        outside: it is a link that leads out of the input folder, and is not followed.
    """

    path: Path
    relative: str
    name: str
    outside: bool = False


def find_photos(source: Path, output: Path, recursive: bool = False) -> list[Photo]:
    """The photos of a file or a folder, sorted by path.

    Hidden files, files without a photo's suffix and everything in an output folder
    below ``source`` are left out. A single file is taken whatever its suffix.

    Raises:
        FaceReconError: there is nothing to read, or the run would read its own results.
    """
    _check_places(source, output)
    if source.is_file():
        return name_photos([source], source.parent)
    inside = output.resolve()
    found = []
    for folder, folders, files in os.walk(source):
        here = Path(folder)
        folders[:] = sorted(
            f for f in folders if recursive and not f.startswith(".") and (here / f).resolve() != inside
        )
        found += [here / f for f in files if not f.startswith(".") and Path(f).suffix.lower() in SUFFIXES]
    if not found:
        hint = "" if recursive else " (--recursive looks into its folders, too)"
        raise FaceReconError(f"There are no photos in {source}{hint}.")
    return name_photos(found, source)


def name_photos(paths: list[Path], root: Path) -> list[Photo]:
    """Gives each photo a name of its own.

    ``album/a.jpg`` is called ``album/a``. Where two photos would share a name, capitals
    aside, each takes its suffix in: ``a.jpg`` and ``a.png`` become ``a_jpg`` and
    ``a_png``; should that be taken as well, eight digits of its path's hash.
    """
    relatives = sorted(path.relative_to(root).as_posix() for path in paths)
    forms: tuple[Callable[[str], str], ...] = (_stem, _stem_and_suffix, _stem_and_hash)
    level = dict.fromkeys(relatives, 0)
    while True:
        names = {relative: forms[level[relative]](relative) for relative in relatives}
        count = Counter(name.casefold() for name in names.values())
        crowded = [r for r in relatives if count[names[r].casefold()] > 1 and level[r] < len(forms) - 1]
        if not crowded:
            return [Photo(root / r, r, names[r], _leads_outside(root / r, root)) for r in relatives]
        for relative in crowded:
            level[relative] += 1


def _leads_outside(path: Path, root: Path) -> bool:
    return path.is_symlink() and not path.resolve().is_relative_to(root.resolve())


def _check_places(source: Path, output: Path) -> None:
    if not source.exists():
        raise FaceReconError(f"There is no file or folder {source}.")
    start, end = source.resolve(), output.resolve()
    if start == end:
        raise FaceReconError("The output folder is the input folder: give another one.")
    if any(start.is_relative_to(end / folder) for folder in FOLDERS):
        raise FaceReconError(f"{source} holds results of the output folder {output}: give another one.")
    if output.exists() and not output.is_dir():
        raise FaceReconError(f"The output folder {output} is a file.")


def _stem(relative: str) -> str:
    return str(Path(relative).with_suffix("").as_posix())


def _stem_and_suffix(relative: str) -> str:
    return f"{_stem(relative)}_{Path(relative).suffix[1:]}"


def _stem_and_hash(relative: str) -> str:
    return f"{_stem_and_suffix(relative)}_{hashlib.sha256(os.fsencode(relative)).hexdigest()[:8]}"
