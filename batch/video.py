"""``video``: restores a video, follows the heads in it and writes their performance."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batch.options import DetectorOptions, Device, FolderOutput, RunOptions, choices, grouped
from batch.photo_options import PersonOptions
from batch.place import need_a_folder
from batch.session import Reporter, end_dry_run, session, would_do

if TYPE_CHECKING:
    from batch.manifest import Record
    from facerecon.pipeline import FaceReconstructor
    from facerecon.video.job import VideoSettings

_LAYOUT, _FRAMES, _RESTORING = "The reconstruction video", "Frames and faces", "Restoring"
WORK_FOLDER = ".video"

Video = Annotated[Path, typer.Argument(metavar="VIDEO", help="A video file.")]
Force = Annotated[bool, typer.Option("--force", help="Do everything again.")]


@dataclass(frozen=True)
class LayoutOptions:
    """What the reconstruction video shows."""

    include_original: Annotated[
        bool, typer.Option(help="A panel with the frames as they are.", rich_help_panel=_LAYOUT)
    ] = True
    include_rec: Annotated[bool, typer.Option(help="A panel with opaque heads.", rich_help_panel=_LAYOUT)] = True
    include_transparent: Annotated[
        bool, typer.Option(help="A panel with half transparent heads over the frames.", rich_help_panel=_LAYOUT)
    ] = True
    black_background: Annotated[
        bool, typer.Option(help="Opaque heads before black, not over the frames.", rich_help_panel=_LAYOUT)
    ] = False
    cat_dim: Annotated[
        int, typer.Option(min=0, max=1, help="Panels one below the other (0) or side by side (1).", rich_help_panel=_LAYOUT)
    ] = 0
    use_mask: Annotated[
        bool, typer.Option(help="Draw the face alone, without ears and scalp.", rich_help_panel=_LAYOUT)
    ] = True
    image_type: Annotated[
        str, typer.Option(help="Heads as geometry (clay), texture or normals.", rich_help_panel=_LAYOUT)
    ] = "geometry"


@dataclass(frozen=True)
class FrameOptions:
    """Which frames, and how faces are followed in them."""

    frame_skip: Annotated[
        int, typer.Option(min=0, help="Frames left out after each one that is used.", rich_help_panel=_FRAMES)
    ] = 0
    detect_every: Annotated[
        int, typer.Option(min=1, help="Frames from one look of the face detector to the next.", rich_help_panel=_FRAMES)
    ] = 5
    smoothing: Annotated[
        str, typer.Option(help="Of pose and expression: kalman, one-euro or none.", rich_help_panel=_FRAMES)
    ] = "kalman"
    hair: Annotated[
        bool, typer.Option("--hair/--no-hair", help="Heads with the volume of the person's hair, or bald.", rich_help_panel=_FRAMES)
    ] = True
    chunk: Annotated[
        int, typer.Option(min=1, help="Frames after which what is done is safe against a kill.", rich_help_panel=_FRAMES)
    ] = 100


@dataclass(frozen=True)
class RestoredOptions:
    """How frames are restored."""

    restored: Annotated[
        bool, typer.Option(help="Restore faces, and write the restored video.", rich_help_panel=_RESTORING)
    ] = True
    fidelity: Annotated[
        float, typer.Option(min=0, max=1, help="0 invents most, 1 keeps closest to the video.", rich_help_panel=_RESTORING)
    ] = 0.7
    upscale: Annotated[
        int, typer.Option(help="Enlarge the restored video 1, 2 or 4 times.", rich_help_panel=_RESTORING)
    ] = 1


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


def register(app: typer.Typer) -> None:
    """Adds ``video``."""
    app.command()(grouped(video))


def video(
    video: Video,
    output_dir: FolderOutput,
    restoring: RestoredOptions,
    layout: LayoutOptions,
    frames: FrameOptions,
    finding: DetectorOptions,
    person: PersonOptions,
    options: RunOptions,
    formats: Annotated[str, typer.Option(help="Files of each head: glb, gltf, or none.")] = "glb",
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Restores a video, follows the heads in it and writes their performance.

    Examples:

    python -m batch video talk.mp4 --output out

    python -m batch video talk.mp4 -o out --cat-dim 1 --black-background --no-include-transparent

    python -m batch video talk.mp4 -o out --no-restored --frame-skip 1
    """
    settings = _settings(restoring, layout, frames, person)
    kinds = choices(formats, ("glb", "gltf"), "--formats")
    work = Work(video, Path(output_dir), settings, kinds, finding.detector(), device)
    with session(options):
        need_a_folder(output_dir, "video")
        _do(work, force, options)


def _settings(
    restoring: RestoredOptions, layout: LayoutOptions, frames: FrameOptions, person: PersonOptions
) -> VideoSettings:
    from facerecon.types import UPSCALES
    from facerecon.video.analysis import Wishes
    from facerecon.video.job import VideoSettings
    from facerecon.video.pictures import IMAGE_TYPES, Layout
    from facerecon.video.smoothing import METHODS

    for value, known, option in (
        (restoring.upscale, UPSCALES, "--upscale"),
        (layout.image_type, IMAGE_TYPES, "--image-type"),
        (frames.smoothing, METHODS, "--smoothing"),
    ):
        if value not in known:
            raise typer.BadParameter(f"{value} is none of {', '.join(map(str, known))}.", param_hint=option)
    wishes = Wishes(
        restoring.restored, restoring.fidelity, restoring.upscale, person.demographics(), frames.detect_every, frames.hair
    )
    shown = Layout(
        layout.include_original, layout.include_rec, layout.include_transparent, layout.black_background,
        layout.cat_dim, layout.use_mask, layout.image_type,
    )  # fmt: skip
    return VideoSettings(wishes, shown, frames.smoothing, frames.frame_skip, frames.chunk)


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


def _do(work: Work, force: bool, options: RunOptions) -> None:
    from batch.lock import locked
    from facerecon.video.reading import read_info

    info = read_info(work.source)
    if options.dry_run:
        sentence = f"{work.source.name}: about {info.frames} frames of {info.width} x {info.height} would be done."
        would_do(options, work.source.name, frames=info.frames)
        end_dry_run(options, sentence, 1)
        return
    with locked(work.output), Reporter(options, None, unit="frame passes") as reporter:
        record = _results(work, force, reporter)
    reporter.finish(str(work.output), {"people": len(record["people"])})


def _results(work: Work, force: bool, reporter: Reporter) -> dict[str, Any]:
    """The record of the video, from an earlier run where nothing has changed since."""
    from batch.manifest import digest
    from batch.names import plain_stem
    from facerecon.video.job import VideoJob
    from facerecon.types import FaceReconError
    from facerecon.video.results import earlier_key, finished, write_results

    name = plain_stem(work.source.name)
    pipeline, embedder, versions = make_parts(work)
    made_of = {"settings": asdict(work.settings), "formats": work.formats, "detector": work.detector}
    content = _content(work.source)[:16]
    key = f"{content}-{digest({**made_of, 'versions': versions})}"
    earlier = earlier_key(work.output, name)
    if earlier and not force and not earlier.startswith(f"{content}-"):
        raise FaceReconError(
            f"{work.output} holds the results of another video called {name}: give another folder, or --force to replace them."
        )
    photo = None if earlier else _photo_record(work.output, name)
    if photo is not None and not force:
        raise FaceReconError(f"{work.output} holds the results of a photo called {name}: give another folder, or --force to replace them.")
    record = None if force else finished(work.output, name, key)
    if record is not None:
        _count(reporter, name, record["frames"], earlier=True)
        return record
    folder = work.output / WORK_FOLDER / name
    if force:
        shutil.rmtree(folder, ignore_errors=True)

    def progress(done_in: str, frames: int, earlier: bool) -> None:
        _count(reporter, f"{name}: {done_in}", frames, earlier)

    job = VideoJob(pipeline, work.source, folder, work.settings, key, embedder, progress)
    reporter.expect(job.frames * (1 + bool(work.settings.layout.panels)) or None)
    return write_results(job, work.output, name, key, versions, work.formats, lambda: _take_over(work.output, photo))


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
