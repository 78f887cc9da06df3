"""Does a run photo by photo, leaves out what is done, and goes on where one fails."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2

from batch.inputs import Photo
from batch.manifest import RECONSTRUCTION, RESTORATION, Manifest, Record, content_hash, digest
from facerecon import outputs
from facerecon.images import focal_px_from_exif, load_image
from facerecon.pipeline import FaceReconstructor
from facerecon.types import Demographics, FaceReconError, Image, Reconstruction, Restoration

logger = logging.getLogger("facerecon.batch")
MANIFEST = "manifest.jsonl"
STATISTICS = {RESTORATION: "restoration_stats.json", RECONSTRUCTION: "reconstruction_stats.json"}
_FOLDERS = {RESTORATION: outputs.RESTORATION_FOLDERS, RECONSTRUCTION: outputs.RECONSTRUCTION_FOLDERS}


class DiskFullError(FaceReconError):
    """The disk is full: no further photo can be done."""


@dataclass(frozen=True)
class Settings:
    """All that changes the files of a photo.

    Attributes:
        stages: of ``"restoration"`` and ``"reconstruction"``, those to do.
        fidelity, upscale, faces, demographics: as ``FaceReconstructor.run`` takes them.
        formats: files of a head, of ``outputs.FORMATS``.
        pictures: of ``outputs.PICTURES``.
        comparison: before and after side by side.
        max_side: photos are shrunk to this longer side, pixels; None keeps them.
        detector: options of the face detector.
    """

    stages: tuple[str, ...] = (RESTORATION, RECONSTRUCTION)
    fidelity: float = 0.7
    upscale: int = 1
    faces: str | int = "all"
    demographics: Demographics | None = None
    formats: tuple[str, ...] = ("glb",)
    pictures: tuple[str, ...] = ("overlay", "geometry")
    comparison: bool = False
    max_side: int | None = None
    detector: dict[str, Any] = field(default_factory=dict)


@dataclass
class Summary:
    """Counts of photos: done now, done before, failed (now or before)."""

    done: int = 0
    skipped: int = 0
    failed: int = 0


Report = Callable[[Record, bool], None]  # a photo's record, and whether it is an earlier run's


def run_photos(
    reconstructor: FaceReconstructor,
    photos: list[Photo],
    output: Path,
    settings: Settings,
    report: Report,
    force: bool = False,
    retry_failed: bool = False,
) -> Summary:
    """Does every photo that has no valid record, in order, and writes the statistics.

    A record is valid while the photo's bytes, the settings, the model versions and the
    files it names are unchanged. The failure of one photo is recorded; the others go on.

    Raises:
        DiskFullError: nothing more can be written.
        FaceReconError: a network cannot be loaded.
    """
    manifest = Manifest.open(output / MANIFEST)
    versions = reconstructor.versions(RESTORATION in settings.stages, RECONSTRUCTION in settings.stages)
    key = digest({**asdict(settings), "versions": versions})
    runner = _Runner(reconstructor, output, settings, key, versions)
    _clear_old_names(manifest, photos, runner)
    summary = Summary()
    for photo in photos:
        earlier = None if force else manifest.find(photo.name, settings.stages)
        content = _content(photo)
        if earlier and _still_valid(earlier, photo, content, key, output) and not (
            retry_failed and earlier.status == "failed"
        ):
            record = earlier
            summary.skipped += record.status == "done"
        else:
            reconstructor.load(RESTORATION in settings.stages, RECONSTRUCTION in settings.stages)
            record = runner.do(photo, content)
            _append(manifest, record)
            summary.done += record.status == "done"
        summary.failed += record.status == "failed"
        report(record, record is earlier)
    write_statistics(manifest, output, settings.stages)
    return summary


def write_statistics(manifest: Manifest, output: Path, stages: tuple[str, ...]) -> None:
    """Writes the statistics of each stage from the manifest alone, sorted by name."""
    for stage in stages:
        records = manifest.of_stage(stage)
        done = [r for r in records if r.status == "done"]
        figures = {r.name: getattr(r, stage) for r in done}
        faces = sum(len(f["faces" if stage == RESTORATION else "heads"]) for f in figures.values())
        values = {
            "photos": len(records),
            "done": len(done),
            "failed": len(records) - len(done),
            "faces": faces,
            "seconds": round(sum(r.seconds for r in done), 3),
            "results": [{"name": r.name, "input": r.input, **figures[r.name], "seconds": r.seconds} for r in done],
            "failures": [{"name": r.name, "input": r.input, "error": r.error} for r in records if r.error],
        }
        outputs.write_json(output / STATISTICS[stage], values)


@dataclass
class _Runner:
    """Does one photo: reads, calls the pipeline, writes its files."""

    reconstructor: FaceReconstructor
    output: Path
    settings: Settings
    key: str
    versions: dict[str, str]

    def do(self, photo: Photo, content: str | None) -> Record:
        """The record of a photo, done or failed."""
        started = time.perf_counter()
        record = Record(photo.name, photo.relative, "failed", self.settings.stages, content, self.key)
        self.clear(photo.name)
        with _warnings() as notes:
            try:
                files, figures = self._results(photo)
            except Exception as error:  # whatever is wrong with one photo must not cost the others
                _raise_if_full(error)
                self.clear(photo.name)
                record = replace(record, error=_reason(error))
            else:
                names = tuple(file.relative_to(self.output).as_posix() for file in files)
                record = replace(record, status="done", files=names, **figures)
        return replace(record, notes=tuple(notes), seconds=round(time.perf_counter() - started, 3))

    def _results(self, photo: Photo) -> tuple[list[Path], dict[str, Any]]:
        settings = self.settings
        if photo.outside:
            raise FaceReconError("It is a link that leads out of the input folder.")
        image = _shrink(load_image(photo.path), settings.max_side, photo.path.name)
        restoration, heads = self._pipeline(image, focal_px_from_exif(photo.path, image.shape[1]))
        files: list[Path] = []
        figures: dict[str, Any] = {}
        if restoration is not None:
            files += outputs.write_restoration(self.output, photo.name, image, restoration, settings.comparison)
            figures[RESTORATION] = outputs.restoration_figures(restoration)
        if heads:
            model = self.reconstructor.head
            for head in heads:
                files += outputs.write_head(self.output, photo.name, head, model, settings.formats)
                files += outputs.write_pictures(self.output, photo.name, image, head, model, settings.pictures)
                files.append(outputs.write_parameters(self.output, photo.name, image, head, model, self.versions))
            figures[RECONSTRUCTION] = outputs.reconstruction_figures(heads, model)
        return files, figures

    def _pipeline(self, image: Image, focal_px: float | None) -> tuple[Restoration | None, list[Reconstruction]]:
        s, way = self.settings, self.reconstructor
        if RECONSTRUCTION not in s.stages:
            return way.restore(image, s.fidelity, s.upscale, s.faces), []
        if RESTORATION not in s.stages:
            return None, way.reconstruct(image, s.demographics, faces=s.faces, focal_px=focal_px)
        result = way.run(image, s.fidelity, s.upscale, s.faces, s.demographics, focal_px=focal_px)
        return result.restoration, result.reconstructions

    def clear(self, name: str) -> None:
        """Removes the files that the run's stages wrote for a photo."""
        folders = [folder for stage in self.settings.stages for folder in _FOLDERS[stage]]
        for file in outputs.existing_files(self.output, name, folders):
            file.unlink(missing_ok=True)


def _append(manifest: Manifest, record: Record) -> None:
    try:
        manifest.append(record)
    except OSError as error:
        _raise_if_full(error)
        raise FaceReconError(f"{manifest.path} cannot be written: {error.strerror or error}.") from error


def _clear_old_names(manifest: Manifest, photos: list[Photo], runner: _Runner) -> None:
    """Removes results of photos that go by another name now, such as ``a`` when ``a.png`` joined ``a.jpg``."""
    names = {photo.relative: photo.name for photo in photos}
    taken = set(names.values())
    for record in list(manifest.latest.values()):
        if names.get(record.input, record.name) != record.name and record.name not in taken:
            runner.clear(record.name)


def _content(photo: Photo) -> str | None:
    if photo.outside:
        return "outside"
    try:
        return content_hash(photo.path)
    except OSError:
        return None  # reading it will say why


def _still_valid(record: Record, photo: Photo, content: str | None, key: str, output: Path) -> bool:
    same = (record.input, record.content, record.settings) == (photo.relative, content, key) and content is not None
    return same and all((output / file).is_file() for file in record.files)


def _shrink(image: Image, max_side: int | None, name: str) -> Image:
    height, width = image.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return image
    factor = max_side / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    logger.warning("%s is reduced from %d x %d to %d x %d.", name, width, height, *size)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _reason(error: Exception) -> str:
    """One sentence on one line."""
    text = str(error)
    if isinstance(error, MemoryError):
        text = "The photo does not fit into memory"
    elif not isinstance(error, FaceReconError):
        logger.debug("a fault of ours", exc_info=error)
        text = f"An unexpected {type(error).__name__} came up: {error}"
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _raise_if_full(error: BaseException) -> None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            sentence = "The disk is full: make room and run the same command again, which goes on from here."
            raise DiskFullError(sentence) from error
        cause = cause.__cause__


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collects what the parts of the pipeline warn of, so that it reaches the photo's record."""
    notes: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            notes.append(record.getMessage())

    logger, collector = logging.getLogger("facerecon"), Collector(logging.WARNING)
    logger.addHandler(collector)
    try:
        yield notes
    finally:
        logger.removeHandler(collector)
