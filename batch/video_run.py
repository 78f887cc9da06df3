"""Does one video: what lies in the output folder already, what is missing, and what gives way."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch.options import RunOptions
from batch.session import Reporter, end_dry_run, would_do

if TYPE_CHECKING:
    from batch.manifest import Record
    from facerecon.pipeline import FaceReconstructor
    from facerecon.video.job import VideoSettings

WORK_FOLDER = ".video"


@dataclass(frozen=True)
class Work:
    """One video to do.

    Attributes:
        source: the video; the stem of its name is that of the results.
        output: folder for the results.
        settings: what to do.
        formats: files of each head.
        detector: arguments of ``faces.create_detector``.
        device: where the networks run.
    """

    source: Path
    output: Path
    settings: VideoSettings
    formats: tuple[str, ...]
    detector: dict[str, Any]
    device: str


@dataclass(frozen=True)
class _Plan:
    """What becomes of a video.

    Attributes:
        name: stem of its results.
        key: names video, settings and weights.
        parts: see :func:`make_parts`.
        record: of an earlier run in which nothing has changed since, or None.
        photo: of this name, whose heads are in the way, or None.
    """

    name: str
    key: str
    parts: tuple[FaceReconstructor, Any, dict[str, str]]
    record: dict[str, Any] | None
    photo: Record | None


def make_parts(work: Work) -> tuple[FaceReconstructor, Any, dict[str, str]]:
    """The pipeline, the embedder that tells people apart (None where it has no weights), and their versions."""
    from facerecon.checkpoints import CheckpointError, checkpoint_version, find_checkpoint
    from facerecon.identity import IdentityEncoder
    from facerecon.pipeline import FaceReconstructor

    pipeline = FaceReconstructor.from_pretrained(device=work.device, **work.detector)
    versions = pipeline.versions(restoration=work.settings.wishes.restore)
    try:
        embedder = IdentityEncoder.from_pretrained(work.device)
    except CheckpointError:
        return pipeline, None, versions
    return pipeline, embedder, {**versions, "identity": checkpoint_version(find_checkpoint("identity"))}


def do_video(work: Work, force: bool, options: RunOptions) -> None:
    """Does what is missing of a video, or says what that would be; raises FaceReconError."""
    from batch.lock import locked
    from facerecon.video.reading import read_info

    info = read_info(work.source)
    if options.dry_run:
        done = _plan(work, force).record is not None
        sentence = f"{work.source.name}: about {info.frames} frames of {info.width} x {info.height} would be done."
        if not done:
            would_do(options, work.source.name, frames=info.frames)
        end_dry_run(options, f"{work.source.name} is done." if done else sentence, int(not done), int(done))
        return
    with locked(work.output), Reporter(options, None, unit="frame passes") as reporter:
        record = _results(work, _plan(work, force), force, reporter)
    reporter.finish(str(work.output), {"people": len(record["people"])})


def _plan(work: Work, force: bool) -> _Plan:
    """Looks at what the output folder holds; writes nothing.

    Raises:
        FaceReconError: it holds results of another video, or of a photo, of this name.
    """
    from batch.manifest import digest
    from batch.names import plain_stem
    from facerecon.types import FaceReconError
    from facerecon.video.results import earlier_key, finished

    name, parts = plain_stem(work.source.name), make_parts(work)
    made_of = {"settings": asdict(work.settings), "formats": work.formats, "detector": work.detector}
    content = _content(work.source)[:16]
    key = f"{content}-{digest({**made_of, 'versions': parts[2]})}"
    earlier = earlier_key(work.output, name)
    other = "another video" if earlier and not earlier.startswith(f"{content}-") else None
    photo = None if earlier else _photo_record(work.output, name)
    if photo is not None:
        other = "a photo"
    if other is not None and not force:
        raise FaceReconError(f"{work.output} holds the results of {other} called {name}: give another folder, or --force to replace them.")
    return _Plan(name, key, parts, None if force else finished(work.output, name, key), photo)


def _results(work: Work, plan: _Plan, force: bool, reporter: Reporter) -> dict[str, Any]:
    """The record of the video, from an earlier run where nothing has changed since."""
    from facerecon.video.job import VideoJob
    from facerecon.video.results import write_results

    if plan.record is not None:
        _count(reporter, plan.name, plan.record["frames"], earlier=True)
        return plan.record
    folder = work.output / WORK_FOLDER / plan.name
    if force:
        shutil.rmtree(folder, ignore_errors=True)

    def progress(done_in: str, frames: int, earlier: bool) -> None:
        _count(reporter, f"{plan.name}: {done_in}", frames, earlier)

    pipeline, embedder, versions = plan.parts
    job = VideoJob(pipeline, work.source, folder, work.settings, plan.key, embedder, progress)
    reporter.expect(job.frames * (1 + bool(work.settings.layout.panels)) or None)
    return write_results(
        job, work.output, plan.name, plan.key, versions, work.formats, lambda: _take_over(work.output, plan.photo)
    )


def _photo_record(output: Path, name: str) -> Record | None:
    """What is known of the photo whose heads are called as this video's; phones take both at once and call them alike."""
    from batch.manifest import Manifest
    from batch.photo_task import RECONSTRUCTION
    from batch.place import MANIFEST
    from facerecon.output_names import RECONSTRUCTION_FOLDERS

    if not (output / MANIFEST).is_file():
        return None
    photo = Manifest(output / MANIFEST, shared=True).find(name, (RECONSTRUCTION,))
    if photo is None or photo.status != "done":
        return None
    in_the_way = any(file.partition("/")[0] in RECONSTRUCTION_FOLDERS for file in photo.files)  # not in a tar
    return photo if in_the_way else None


def _take_over(output: Path, photo: Record | None) -> None:
    """Puts down that a photo's heads are there no longer, before the video's take their names.

    Without the photo's content, so that a run which finds the video gone again does the photo anew.
    """
    if photo is None:
        return
    from batch.manifest import Manifest
    from batch.photo_task import RECONSTRUCTION, PhotoTask, Settings
    from batch.place import MANIFEST
    from batch.statistics import write_statistics

    error = f"Its heads gave way to those of the video called {photo.name}."
    manifest = Manifest(output / MANIFEST)
    lost = replace(photo, status="failed", stages=(RECONSTRUCTION,), content=None, files=(), error=error, figures={}, seconds=0.0)
    manifest.append([lost])
    write_statistics(manifest, output, PhotoTask(Settings(stages=(RECONSTRUCTION,))))


def _count(reporter: Reporter, what: str, frames: int, earlier: bool) -> None:
    for _ in range(frames):
        reporter.item(what, earlier=earlier)


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
