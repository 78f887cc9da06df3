"""What a command does to a photo: the contract between a command and the engines that run it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch.inputs import Photo
from facerecon.types import Image


@dataclass
class Loaded:
    """A photo that was read.

    Attributes:
        photo: which.
        image: (H, W, 3) uint8 sRGB, upright, already reduced where that was asked for.
        focal_px: focal length in pixels where the file tells it.
    """

    photo: Photo
    image: Image
    focal_px: float | None = None


@dataclass
class Outcome:
    """What :meth:`Task.write` left.

    Attributes:
        files: what was written, below the output folder.
        figures: by stage, what the statistics say of the photo.
    """

    files: list[Path]
    figures: dict[str, dict[str, Any]]


class Task(ABC):
    """What is done to each photo.

    An instance travels to other processes: it must pickle, and holds no network before
    :meth:`load`. Parts of different photos overlap: ``prepare`` and ``write`` are each
    called from a thread of their own while ``compute`` works on another batch.

    Attributes:
        stages: names of what it does, such as ``("restoration",)``; each gets ``STAGE_stats.json``.
        modules: what :meth:`load` and the others import; worker processes share what is imported before they begin.
        max_side: photos are shrunk to this longer side, pixels; None keeps them.
    """

    stages: tuple[str, ...]
    modules: tuple[str, ...] = ()
    max_side: int | None = None

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """All that changes the files of a photo, as plain values (but for the versions)."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Code and weights the results come from; loads no network. Raises FaceReconError where weights are missing."""

    @abstractmethod
    def load(self) -> None:
        """Loads the networks. Raises FaceReconError."""

    def prepare(self, loaded: Loaded) -> None:
        """What a photo needs before the networks see it, such as finding its faces; may raise."""

    @abstractmethod
    def compute(self, photos: list[Loaded]) -> list[Any]:
        """The networks' part, in one batch: one result a photo, an exception where one failed."""

    @abstractmethod
    def write(self, output: Path, loaded: Loaded, result: Any) -> Outcome:
        """Writes the files of a photo, each whole or not at all (``facerecon.images.atomic_write``)."""

    def refuse_taken(self, output: Path, name: str) -> None:
        """Raises FaceReconError where what a photo would replace is no photo's, such as the heads of a video of its name."""

    def clear(self, output: Path, name: str) -> None:
        """Removes whatever an earlier run wrote for a photo, half-written files included."""

    def may_have_files(self, output: Path, name: str, but: Iterable[str] = ()) -> bool:
        """Whether :meth:`clear` may find anything but these; a cheap answer for most photos."""
        return True

    def own(self, files: Iterable[str]) -> list[str]:
        """Those of the files an earlier record names that are this task's to remove."""
        return list(files)

    def count(self, stage: str, figures: dict[str, Any]) -> int:
        """How many faces the figures of a stage speak of."""
        return 1
