"""Where photos lie: files, members of WebDataset tars, and both of them behind fsspec URLs."""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from batch.sentences import in_short
from facerecon.types import FaceReconError

if TYPE_CHECKING:
    from batch.inputs import Photo

Listed = tuple[str, list[str], list[str], str | None]  # a folder: path below the input, folders, files, why it cannot be listed
_LOCAL = ("file", "local")  # protocols for which fsspec reads this machine's disks
_CHUNK = 1 << 20
LARGEST_FILE = 2_000_000_000  # bytes that are fetched for one photo


@dataclass(frozen=True)
class Member:
    """A file in a tar: its name, its first byte and length, and why it must not be read, if so."""

    name: str
    span: tuple[int, int]
    refusal: str | None = None


def is_remote(location: str) -> bool:
    """Whether it is a URL."""
    return "://" in location


def filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it.

    Raises:
        FaceReconError: fsspec, or the package that speaks this protocol, is missing.
    """
    try:
        import fsspec

        return fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise FaceReconError(f"{url} needs a package that is missing ({error}): see requirements-ray.txt.") from error
    except Exception as error:  # every protocol has errors of its own
        raise FaceReconError(f"{url} cannot be opened: {in_short(error)}.") from error


def local_path(location: str) -> Path | None:
    """Where on this machine a path or a ``file://`` URL points; None where it is no place of this machine."""
    if not is_remote(location):
        return Path(location)
    return Path(filesystem(location)[1]) if location.partition("://")[0] in _LOCAL else None


def path_below(url: str, other: str) -> str | None:
    """The path of another URL below this one, "" where both are the same; None where it lies elsewhere."""
    (system, path), (others, there) = filesystem(url), filesystem(other)
    here, there = PurePosixPath(path), PurePosixPath(there)
    if system != others or not there.is_relative_to(here):
        return None
    below = there.relative_to(here).as_posix()
    return "" if below == "." else below


def remote_folder(url: str) -> tuple[str, Iterator[Listed]]:
    """The root of a URL, and each folder below it: its path there, names of its folders and files, why it cannot be listed.

    As with ``os.walk``, folders that are taken out of the list are not looked into.

    Raises:
        FaceReconError: there is nothing at the URL.
    """
    system, path = filesystem(url)
    path = path.rstrip("/")
    if system.isfile(path):
        parent = path.rpartition("/")[0]
        return system.unstrip_protocol(parent), iter([("", [], [PurePosixPath(path).name], None)])
    if not system.exists(path):
        raise FaceReconError(f"There is nothing at {url}.")

    return system.unstrip_protocol(path), _list_remote(system, path)


def _list_remote(system: Any, path: str) -> Iterator[Listed]:
    """Not by ``system.walk``, which takes folders for empty that it could not list."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            entries = system.ls(f"{path}/{below}".rstrip("/"), detail=True)
        except Exception as error:  # every protocol has errors of its own
            yield below, [], [], f"The folder cannot be read: {in_short(error)}." if below else in_short(error)
            continue
        kinds: dict[bool, list[str]] = {True: [], False: []}
        for entry in entries:
            name = entry["name"].rstrip("/")[len(path) :].lstrip("/")
            if name != below:  # some stores have an entry for the folder itself
                kinds[entry["type"] == "directory"].append(PurePosixPath(name).name)
        yield below, kinds[True], kinds[False], None
        waiting += [f"{below}/{folder}".lstrip("/") for folder in reversed(kinds[True])]


@contextmanager
def open_location(location: str) -> Iterator[IO[bytes]]:
    """A path or URL, opened for reading bytes."""
    if not is_remote(location):
        with open(location, "rb") as file:
            yield file
        return
    system, path = filesystem(location)
    with system.open(path, "rb") as file:
        yield file


def tar_problem(location: str) -> str | None:
    """Why a tar cannot be listed, in one sentence; None when it can."""
    try:
        with open_location(location) as file, tarfile.open(fileobj=file, mode="r:"):
            return None
    except (OSError, tarfile.TarError, FaceReconError) as error:
        return f"It is no tar that can be read (compressed tars cannot): {in_short(error)}."


def tar_members(location: str) -> Iterator[Member]:
    """Every file of an uncompressed tar in order; reads headers only.

    Raises:
        FaceReconError: it is cut off, or cannot be read on; after the files that come before that.
    """
    with open_location(location) as file, tarfile.open(fileobj=file, mode="r:") as tar:
        while True:
            try:
                entry = tar.next()
            except (tarfile.TarError, OSError, ValueError) as error:
                raise FaceReconError(f"The tar cannot be read to its end: {in_short(error)}.") from error
            if entry is None:
                return
            tar.members.clear()  # tarfile would remember every member
            if not entry.isdir():
                yield Member(entry.name, (entry.offset_data, entry.size), _member_refusal(entry))


def _member_refusal(entry: tarfile.TarInfo) -> str | None:
    path = PurePosixPath(entry.name)
    if path.is_absolute() or ".." in path.parts:
        return "Its name leads out of the tar."
    if not entry.isreg() or entry.issparse():
        return "It is no regular file."
    return None


@contextmanager
def local_file(photo: Photo) -> Iterator[Path]:
    """The photo as a file of this machine: itself, or a temporary copy of the same name.

    Raises:
        FaceReconError: it cannot be fetched.
    """
    if photo.span is None and not is_remote(photo.location):
        yield Path(photo.location)
        return
    with tempfile.TemporaryDirectory(prefix="facerecon-") as folder:
        copy = Path(folder) / PurePosixPath(photo.relative).name
        try:
            with copy.open("wb") as target:
                for chunk in _chunks(photo):
                    target.write(chunk)
        except FaceReconError:
            raise
        except Exception as error:  # every protocol has errors of its own
            raise FaceReconError(f"{photo.relative} cannot be fetched: {in_short(error)}.") from error
        yield copy


def content_key(photo: Photo) -> str | None:
    """What changes when the photo does, or None where it cannot be read.

    SHA-256 of the bytes of local files and members of local tars. A URL's bytes are not
    fetched for it: there it is what the store says of the file (size, time, tag).
    """
    if photo.refusal is not None:
        return "refused"
    try:
        if is_remote(photo.location):
            system, path = filesystem(photo.location)
            return hashlib.sha256(f"{system.ukey(path)} {photo.span}".encode()).hexdigest()
        digest = hashlib.sha256()
        for chunk in _chunks(photo):
            digest.update(chunk)
        return digest.hexdigest()
    except Exception:  # reading it will say why
        return None


def _chunks(photo: Photo) -> Iterator[bytes]:
    start, left = photo.span or (0, LARGEST_FILE)
    with open_location(photo.location) as file:
        if start:
            file.seek(start)
        while left > 0 and (chunk := file.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk
