"""The folders of an input one by one, with the photos and tars in them; on this machine and behind fsspec URLs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from batch.names import clean, plain_stem
from batch.sources import Listed, is_remote, local_path, path_below, remote_folder
from facerecon.types import FaceReconError

# HEIC is not read, but said to be none: half of a phone's album must not be missing without a word.
SUFFIXES = frozenset(".jpg .jpeg .jpe .jfif .png .webp .avif .bmp .tif .tiff .gif .ppm .pgm .heic .heif".split())
OUTSIDE = "It is a link that leads out of the input folder."


@dataclass(frozen=True)
class Folder:
    """A folder's photos and tars.

    Attributes:
        root: the input.
        below: the folder's path below it, "" for the input itself.
        files: names of its photos.
        tars: names of its tars.
        shared: another folder, or a tar, has the same name but for capitals.
        crowded: tars of which the same is true.
        refusal: why it cannot be listed.
    """

    root: str
    below: str
    files: list[str]
    tars: list[str]
    shared: bool = False
    crowded: frozenset[str] = frozenset()
    refusal: str | None = None


def walk(source: str, output: str, recursive: bool) -> Iterator[Folder]:
    """The input and, if asked for, the folders in it but for hidden ones and the output.

    Raises:
        FaceReconError: there is nothing there, or it cannot be listed.
    """
    if is_remote(source):
        root, listed = remote_folder(source)
        inside, here = path_below(source, output) if is_remote(output) else None, local_path(source)
        if here is not None and here.is_dir():  # as by its path: fsspec looks at no link
            listed = _list_local(here)
        yield from _folders(root, listed, recursive, lambda below: below == inside)
        return
    path = Path(source)
    if path.is_file():  # a single file is taken whatever its suffix
        tar = path.suffix.lower() == ".tar"
        yield Folder(str(path.parent), "", [] if tar else [path.name], [path.name] if tar else [])
        return
    end = os.path.realpath(output)
    yield from _folders(str(path), _list_local(path), recursive, lambda below: os.path.realpath(path / below) == end)


def _folders(root: str, listed: Iterable[Listed], recursive: bool, is_output: Callable[[str], bool]) -> Iterator[Folder]:
    shared: set[str] = set()
    for below, folders, files, refusal in listed:
        if refusal is not None:
            if not below:
                raise FaceReconError(f"The folder {root} cannot be read: {refusal}.")
            yield Folder(root, below, [], [], below in shared, refusal=refusal)
            continue
        inner = {folder: f"{below}/{folder}".lstrip("/") for folder in sorted(folders) if recursive and not folder.startswith(".")}
        folders[:] = [folder for folder, path in inner.items() if not is_output(path)]
        tars = sorted(file for file in files if file.lower().endswith(".tar") and not file.startswith("."))
        crowd = Counter(map(_called, (*folders, *map(plain_stem, tars))))
        shared.update(inner[folder] for folder in folders if below in shared or crowd[_called(folder)] > 1)
        photos = [file for file in files if Path(file).suffix.lower() in SUFFIXES and not file.startswith(".")]
        crowded = frozenset(tar for tar in tars if crowd[_called(plain_stem(tar))] > 1)
        yield Folder(root, below, photos, tars, below in shared, crowded)


def _called(folder: str) -> str:
    """What is the same for folders whose photos would be called alike."""
    return clean(folder).casefold()


def _list_local(source: Path) -> Iterator[Listed]:
    """As :func:`batch.sources.remote_folder` has them; links to folders are not followed, those that lead out are refused."""
    problems: list[OSError] = []
    for here, folders, files in os.walk(source, onerror=problems.append):
        yield from _closed(source, problems)
        yield _below(here, source), folders, files, None
        for folder in folders:
            path = Path(here, folder)
            if path.is_symlink() and not path.resolve().is_relative_to(source.resolve()):
                yield _below(str(path), source), [], [], OUTSIDE
    yield from _closed(source, problems)


def _closed(source: Path, problems: list[OSError]) -> Iterator[Listed]:
    """The folders that could not be listed since last asked: nobody may take their photos for done."""
    while problems:
        error = problems.pop(0)
        below = _below(error.filename or str(source), source)
        yield below, [], [], f"The folder cannot be read: {error.strerror}." if below else str(error.strerror)


def _below(here: str, source: Path) -> str:
    below = Path(here).relative_to(source).as_posix()
    return "" if below == "." else below
