"""Folders of faces, or the same folders in a tar, as numbered images with labels."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image as PillowImage

from facerecon.types import FaceReconError, Gender, Image

ENDINGS = (".webp", ".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class FaceLabels:
    """What a dataset says of one photo; None where it says nothing.

    Attributes:
        age: years.
        age_range: years, from (inside) to (outside), where the dataset has bins.
        gender: ``"female"`` or ``"male"``.
        race: a member of ``facerecon.demographics.RACES``.
        ethnicity: the dataset's own word.
        person: who it is, the same for all photos of one person.
        landmarks: (N, 2) float32 pixels of this photo, centre of the first pixel at (0, 0).
        rotation: (3, 3) float32 head to camera (x right, y up, z toward the camera), where the dataset has the pose.
        split: ``"train"``, ``"val"`` or ``"test"`` where the dataset is divided by a list.
    """

    age: float | None = None
    age_range: tuple[float, float] | None = None
    gender: Gender | None = None
    race: str | None = None
    ethnicity: str | None = None
    person: str | None = None
    landmarks: np.ndarray | None = None
    rotation: np.ndarray | None = None
    split: str | None = None


class FacePack:
    """The images below a folder or in a tar, by name, in sorted order.

    Reading is safe from several threads and forked processes at once.

    Args:
        path: a folder or an uncompressed tar.
        label: gives the labels of a name; nothing is known of any photo by default.
        names: those images to keep, in this order; all of them, sorted, by default.

    Raises:
        FaceReconError: there is no such folder or tar.
    """

    def __init__(
        self, path: Path, label: Callable[[str], FaceLabels] | None = None, names: list[str] | None = None
    ) -> None:
        self.path = Path(path)
        self._store = _open_store(self.path)
        self._label = label
        self.names = self.images() if names is None else list(names)

    def __len__(self) -> int:
        return len(self.names)

    def image(self, i: int) -> Image:
        """Image number ``i``, (H, W, 3) uint8 RGB."""
        return np.array(PillowImage.open(io.BytesIO(self.read(self.names[i]))).convert("RGB"))

    def labels(self, i: int) -> FaceLabels:
        """What the dataset says of image number ``i``."""
        return self._label(self.names[i]) if self._label else FaceLabels()

    def images(self) -> list[str]:
        """Names of all images, sorted, whether kept or not."""
        return self.files(*ENDINGS)

    def files(self, *endings: str) -> list[str]:
        """Names of all files with these endings, sorted."""
        return [name for name in self._store.names if PurePosixPath(name).suffix.lower() in endings]

    def find(self, file_name: str) -> str | None:
        """Name of the file called ``file_name`` that lies least deep, or None."""
        found = [name for name in self._store.names if PurePosixPath(name).name == file_name]
        return min(found, key=lambda name: (name.count("/"), name), default=None)

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        return self._store.read(name)

    def text(self, file_name: str) -> str:
        """The text of the file called ``file_name``, wherever it lies.

        Raises:
            FaceReconError: the dataset has no such file.
        """
        name = self.find(file_name)
        if name is None:
            raise FaceReconError(f"The dataset {self.path} has no {file_name}.")
        return self.read(name).decode("utf-8-sig")


def _open_store(path: Path) -> _Folder | _Tar:
    if path.is_dir():
        return _Folder(path)
    try:
        return _Tar(path)
    except (OSError, tarfile.TarError) as error:
        raise FaceReconError(f"The dataset {path} is neither a folder nor a readable tar.") from error


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())

    def read(self, name: str) -> bytes:
        return (self._path / name).read_bytes()


class _Tar:
    """Remembers where each file begins and reads there, without a shared position."""

    def __init__(self, path: Path) -> None:
        with tarfile.open(path, "r:") as tar:
            members = {m.name.removeprefix("./"): (m.offset_data, m.size) for m in tar if m.isfile()}
        self._path, self._members = path, members
        self._file = os.open(path, os.O_RDONLY)
        self.names = sorted(members)

    def read(self, name: str) -> bytes:
        offset, size = self._members[name]
        return os.pread(self._file, size, offset)

    def __getstate__(self) -> dict:
        return {"_path": self._path, "_members": self._members, "names": self.names}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._file = os.open(self._path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)
