"""Which photos a run takes, and what their results are called.

Listing streams: one folder's (or one tar's) names are held at a time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from batch.names import name_files, named, plain_stem
from batch.sources import Member, is_remote, local_path, path_below, tar_members, tar_problem
from batch.walking import OUTSIDE, SUFFIXES, Folder, walk
from facerecon.output_names import FOLDERS
from facerecon.types import FaceReconError

_NO_FILE = "It is no regular file."
_CLOSED, _CLOSED_TAR = "(folder)", "(tar)"  # what a folder that cannot be listed is called, and a tar that ends too soon


@dataclass(frozen=True)
class Photo:
    """One photo of a run.

    Attributes:
        location: a path, or an fsspec URL.
        relative: its path below the input, with forward slashes.
        name: stem of its results, which may hold folders; see :mod:`batch.names`.
        span: first byte and number of bytes, where it lies inside a tar at ``location``.
        refusal: one sentence, where it must not be read.
        stale: files of an earlier run, below the output folder, that go when it is done again.
    """

    location: str
    relative: str
    name: str
    span: tuple[int, int] | None = None
    refusal: str | None = None
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """The photos of an input, in a fixed order; each iteration lists anew.

    Attributes:
        source: a file, a folder, a tar, or a URL of these.
        output: results in here are no photos.
        recursive: look into folders, too.
    """

    source: str
    output: str
    recursive: bool = False

    def __iter__(self) -> Iterator[Photo]:
        for walked in self._walk():
            yield from _photos_of(walked)

    def count(self) -> int:
        """How many photos there are; a look into every folder and tar."""
        return sum(sum(1 for _ in _photos_of(f)) if f.tars or f.refusal else len(f.files) for f in self._walk())

    def _walk(self) -> Iterator[Folder]:
        return walk(self.source, self.output, self.recursive)


def find_photos(source: str | Path, output: str | Path, recursive: bool = False) -> Listing:
    """The photos of an input.

    Hidden files, files without a photo's suffix and everything in an output folder
    below ``source`` are left out. A single file is taken whatever its suffix.

    Raises:
        FaceReconError: there is nothing to read, or the run would read its own results.
    """
    source, output = str(source), str(output)
    if is_remote(source):
        _check_urls(source, output)
    else:
        _check_places(Path(source), None if is_remote(output) else Path(output))
    listing = Listing(source, output, recursive)
    if next(iter(listing), None) is None:
        hint = "" if recursive else " (--recursive looks into its folders, too)"
        raise FaceReconError(f"There are no photos in {source}{hint}.")
    return listing


def _photos_of(folder: Folder) -> Iterator[Photo]:
    prefix = f"{folder.below}/" if folder.below else ""
    if folder.refusal is not None:  # a name within it, as album.jpg may be called album
        name = named(prefix, _CLOSED, folder.below, folder.shared)
        yield Photo(f"{folder.root}/{folder.below}", folder.below, name, None, folder.refusal)
    for file, stem in name_files(folder.files):
        relative = prefix + file
        location = f"{folder.root}/{relative}" if is_remote(folder.root) else os.path.join(folder.root, relative)
        yield Photo(location, relative, named(prefix, stem, relative, folder.shared), None, _refusal(location, folder.root))
    for tar in folder.tars:
        location = f"{folder.root}/{prefix}{tar}" if is_remote(folder.root) else os.path.join(folder.root, prefix + tar)
        yield from _photos_of_tar(location, prefix + tar, folder.shared or tar in folder.crowded, folder.root)


def _photos_of_tar(location: str, relative: str, shared: bool, root: str) -> Iterator[Photo]:
    problem = _refusal(location, root) or tar_problem(location)
    if problem is not None:
        yield Photo(location, relative, named("", plain_stem(relative), relative, shared), None, problem)
        return
    members: dict[str, Member] = {}
    try:
        for member in tar_members(location):
            path = PurePosixPath(member.name)
            if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
                members.setdefault(member.name, member)
    except FaceReconError as error:  # a name within it, as a folder's that cannot be listed
        yield Photo(location, relative, named(f"{plain_stem(relative)}/", _CLOSED_TAR, relative, shared), None, str(error))
    for name, stem in name_files(list(members)):
        member, inner = members[name], f"{relative}/{name}"
        yield Photo(location, inner, named("", f"{plain_stem(relative)}/{stem}", inner, shared), member.span, member.refusal)


def _refusal(location: str, root: str) -> str | None:
    file, folder = local_path(location), local_path(root)
    if file is None or folder is None:
        return None
    try:
        if file.is_symlink() and not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder)):
            return OUTSIDE
        return None if stat.S_ISREG(os.stat(file).st_mode) else _NO_FILE
    except FileNotFoundError:
        return None  # it vanished: reading it will say so
    except OSError as error:
        return f"It cannot be read: {error.strerror}."


def _check_urls(source: str, output: str) -> None:
    if is_remote(output):
        _refuse_results(source, output, path_below(output, source))


def _refuse_results(source: str | Path, output: str | Path, below: str | None) -> None:
    """``below`` is the path of the source below the output, "" where they are the same, None where it lies elsewhere."""
    if below == "":
        raise FaceReconError("The output folder is the input folder: give another one.")
    if below is not None and below.split("/")[0] in FOLDERS:
        raise FaceReconError(f"{source} holds results of the output folder {output}: give another one.")


def _check_places(source: Path, output: Path | None) -> None:
    if not source.exists():
        raise FaceReconError(f"There is no file or folder {source}.")
    if output is None:
        return
    start, end = source.resolve(), output.resolve()
    below = start.relative_to(end).as_posix() if start.is_relative_to(end) else None
    _refuse_results(source, output, "" if below == "." else below)
    if output.exists() and not output.is_dir():
        raise FaceReconError(f"The output folder {output} is a file.")
