"""Finished photos: the files a visitor sees at once, and the ones made when asked for."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from facerecon import outputs
from facerecon.images import atomic_write, save_image
from facerecon.pipeline import FaceReconstructor
from facerecon.scaling import shrink_to, size_within
from facerecon.types import FaceReconError, Image, Reconstruction, Result
from facerecon.ui.statistics import figures

NAME = "face"
INDEX = "result.json"
EVERYTHING = "facerecon_results.zip"
PREVIEW_SIDE = 1400  # pixels; the slider shows this, the download has all
KINDS = {
    "glb": "GLB", "obj": "OBJ", "ply": "PLY", "gltf": "glTF", "json": "Parameters (JSON)", "mp4": "Turntable (MP4)",
}  # fmt: skip
_MAKING = [threading.Lock() for _ in range(64)]  # by path: a second click waits for the file that the first one makes


class GoneError(FaceReconError):
    """A result that is no longer kept."""


@dataclass(frozen=True)
class HeadCard:
    """What a visitor sees of one head.

    Attributes:
        label: ``"Face 1"``.
        number: of the face in its photo; the files are named by it.
        figures: names and values of the statistics.
        rotation: (9,) head to camera, by rows, for the viewer.
        estimated: whether a network said who it is, of whom the visitor may know better.
    """

    label: str
    number: int
    figures: dict[str, str]
    rotation: list[float]
    estimated: bool = False


@dataclass(frozen=True)
class Finished:
    """A finished photo and where its files lie.

    Attributes:
        folder: holds ``restored/``, ``heads/`` and so on as docs/OUTPUTS.md names them, and the previews.
        seconds: of each step, by the names of ``facerecon.pipeline``, and ``"write"``.
        heads: one for each face that was chosen.
        reconstructions: the heads themselves while they are in memory; None for a shared result.
    """

    folder: Path
    seconds: dict[str, float]
    heads: list[HeadCard]
    reconstructions: list[Reconstruction] | None = field(default=None, repr=False)

    def previews(self, number: int | None = None) -> tuple[Path, Path]:
        """The photo before and after, at a size for the screen; with a number, that face of it, cut out."""
        stem = "photo" if number is None else f"face_{number:02d}"
        return self.folder / "previews" / f"{stem}_before.png", self.folder / "previews" / f"{stem}_after.png"

    @property
    def restored(self) -> Path:
        """The restored photo."""
        return self.folder / "restored" / f"{NAME}.png"

    def file(self, number: int, kind: str) -> Path:
        """Where the file of a head lies, or will."""
        stem = f"{NAME}_{number:02d}"
        if kind == "json":
            return self.folder / "parameters" / f"{stem}.json"
        if kind == "mp4":
            return self.folder / "renders" / f"{stem}_turntable.mp4"
        return self.folder / "heads" / (f"{stem}_obj.zip" if kind == "obj" else f"{stem}.{kind}")

    @property
    def everything(self) -> Path:
        """Where the zip of all files lies, or will."""
        return self.folder / EVERYTHING

    def head(self, label: str | None) -> HeadCard:
        """The head with this label, else the first."""
        return next((head for head in self.heads if head.label == label), self.heads[0])


def finish(folder: Path, photo: Image, result: Result, pipeline: FaceReconstructor) -> Finished:
    """Writes the files that everybody wants: previews, restored photo, GLB and parameters of each head."""
    started = time.perf_counter()
    outputs.write_restoration(folder, NAME, photo, result.restoration)
    finished = Finished(folder, dict(result.seconds), [_card(head, result, pipeline) for head in result.reconstructions])
    size = size_within(result.restoration.image, PREVIEW_SIDE)
    _save_pair(finished.previews(), shrink_to(photo, size), shrink_to(result.restoration.image, size))
    for face in result.restoration.faces:
        _save_pair(finished.previews(face.index), face.crop, face.restored)
    write_heads(folder, photo, result.reconstructions, pipeline)
    finished.seconds["write"] = time.perf_counter() - started
    outputs.write_json(folder / INDEX, {"seconds": finished.seconds, "heads": [asdict(head) for head in finished.heads]})
    return replace(finished, reconstructions=[replace(head, visibility=None) for head in result.reconstructions])


def write_heads(folder: Path, photo: Image, heads: list[Reconstruction], pipeline: FaceReconstructor) -> None:
    """Writes GLB and parameters of each head."""
    versions = pipeline.versions()
    for head in heads:
        outputs.write_head(folder, NAME, head, pipeline.head, ("glb",))
        outputs.write_parameters(folder, NAME, photo, head, pipeline.head, versions)


def adopt(finished: Finished, folder: Path) -> Finished:
    """The same result with its files in another (empty) folder; where the disk allows, without copying a byte."""
    shutil.copytree(finished.folder, folder, copy_function=_link, dirs_exist_ok=True)
    return replace(finished, folder=folder)


def reopen(folder: Path) -> Finished:
    """What :func:`finish` wrote, read again.

    Raises:
        GoneError: it is not there any more.
    """
    try:
        values = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except OSError as error:
        raise GoneError("This result is no longer kept. Run the photo again.") from error
    return Finished(folder, values["seconds"], [HeadCard(**head) for head in values["heads"]])


def export(
    finished: Finished, number: int, kind: str, model: Any, listen: Callable[..., None] | None = None
) -> Path:
    """A file of one head, made now if it is not there.

    Args:
        number: ``HeadCard.number``.
        kind: a key of ``KINDS``.
        listen: told ``(kind, None, share)`` while a video is made.

    Raises:
        GoneError: neither the file nor what it is made from is kept.
    """
    path = finished.file(number, kind)
    with one_maker(path):
        if not path.is_file():
            _make(path, finished, number, kind, model, listen)
    return path


def one_maker(path: Path) -> threading.Lock:
    """The lock of those who make a file."""
    return _MAKING[hash(path) % len(_MAKING)]


def write_zip(path: Path, members: dict[str, Path]) -> None:
    """Writes files by their names in the archive, whole or not at all."""
    with atomic_write(path) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in members.items():
            archive.write(file, name)


def _save_pair(paths: tuple[Path, Path], before: Image, after: Image) -> None:
    paths[0].parent.mkdir(exist_ok=True)
    for path, image in zip(paths, (before, after)):
        save_image(path, image)


def _card(head: Reconstruction, result: Result, pipeline: FaceReconstructor) -> HeadCard:
    face = next(face for face in result.restoration.faces if face.index == head.index)
    rotation = head.parameters.rotation.reshape(9).tolist()
    known = head.parameters.demographics
    estimated = known.source == "estimated" or bool(known.certainty)
    return HeadCard(f"Face {head.index + 1}", head.index, figures(head, face, len(pipeline.head.faces)), rotation, estimated)


def _make(
    path: Path, finished: Finished, number: int, kind: str, model: Any, listen: Callable[..., None] | None
) -> None:
    head = next((head for head in finished.reconstructions or () if head.index == number), None)
    if head is None or not finished.folder.is_dir():
        raise GoneError("This result is no longer kept. Run the photo again.")
    if kind == "mp4":  # which needs no photo
        hear = None if listen is None else lambda share: listen(kind, None, share)
        outputs.write_pictures(finished.folder, NAME, head.texture, head, model, ("turntable",), on_frame=hear)
        return
    parts = outputs.write_head(finished.folder, NAME, head, model, (kind,))
    if kind == "obj":
        write_zip(path, {part.name: part for part in parts})


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
