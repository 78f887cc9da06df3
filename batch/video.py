"""``video``: restores a video, follows the heads in it and writes their performance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batch.options import DetectorOptions, Device, FolderOutput, RunOptions, choices, grouped
from batch.photo_options import PersonOptions
from batch.place import need_a_folder
from batch.session import session
from batch.video_run import Work, do_video

if TYPE_CHECKING:
    from facerecon.video.job import VideoSettings

_LAYOUT, _FRAMES, _RESTORING = "The reconstruction video", "Frames and faces", "Restoring"

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
        do_video(work, force, options)


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
