"""Options that commands share, in groups, and the exit codes.

A command takes a group as one argument and :func:`grouped` spreads its fields into
options of their own, so that every command says the same thing in the same words.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from batch.checks import check_detector, check_device, check_engine, check_threshold
from batch.config import apply_config
from facerecon.faces.detect import DEFAULT

# Exit codes of every command; 2, an option or a configuration file is wrong, is Typer's.
OK = 0
FAILED = 1  # something failed: a photo (now or before), a missing checkpoint, a full disk
BUSY = 3  # another run is writing to the output folder
STOPPED = 130  # Ctrl-C

_RUN, _PHOTOS = "How the run goes", "Photos and faces"

Input = Annotated[
    str, typer.Argument(metavar="INPUT", help="A photo, a folder, a WebDataset tar, or an fsspec URL (s3://...) of these.")
]
Output = Annotated[str, typer.Option("--output-dir", "--output", "-o", help="Folder (or fsspec URL) for the results.")]
FolderOutput = Annotated[str, typer.Option("--output-dir", "--output", "-o", help="Folder for the results.")]
Tars = Annotated[
    bool,
    typer.Option("--tars", help="Pack results into WebDataset tars, OUT/shards/*.tar, one a batch.", rich_help_panel=_RUN),
]
Device = Annotated[str, typer.Option(callback=check_device, help="auto, cpu, cuda or cuda:N.", rich_help_panel=_RUN)]


@dataclass(frozen=True)
class RunOptions:
    """How a run goes, whatever it does."""

    config: Annotated[
        Path | None,
        typer.Option(
            "--config", is_eager=True, callback=apply_config, dir_okay=False, rich_help_panel=_RUN,
            help="YAML file with values for any of these options.",
        ),
    ] = None  # fmt: skip
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.", rich_help_panel=_RUN)
    ] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show failures only.", rich_help_panel=_RUN)] = False
    json: Annotated[
        bool, typer.Option("--json", help="Progress as lines of JSON on standard output.", rich_help_panel=_RUN)
    ] = False


@dataclass(frozen=True)
class ResumeOptions:
    """What to do again."""

    force: Annotated[bool, typer.Option("--force", help="Do everything again.", rich_help_panel=_RUN)] = False
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try photos again that failed before.", rich_help_panel=_RUN)
    ] = False


@dataclass(frozen=True)
class EngineOptions:
    """What the work is done on."""

    device: Device = "auto"
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, max=256, help="Photos whose faces share a batch.", rich_help_panel=_RUN)
    ] = 4
    num_workers: Annotated[
        int | None,
        typer.Option(
            "--num-workers", min=0, max=1024, rich_help_panel=_RUN,
            help="Processes that share the work; 0 does it in this one. By default one for every two photos, at most one a core.",
        ),
    ] = None  # fmt: skip
    engine: Annotated[
        str,
        typer.Option(callback=check_engine, help="local, or ray: the workers are a Ray cluster's.", rich_help_panel=_RUN),
    ] = "local"


@dataclass(frozen=True)
class DetectorOptions:
    """How faces are looked for."""

    face_detector: Annotated[
        str,
        typer.Option(
            "--face-detector", callback=check_detector, rich_help_panel=_PHOTOS,
            help="facerecon, mtcnn, aligned or deepface:BACKEND.",
        ),
    ] = DEFAULT  # fmt: skip
    detection_threshold: Annotated[
        float | None,
        typer.Option(
            "--detection-threshold", callback=check_threshold, rich_help_panel=_PHOTOS,
            help="Least score of a face, above 0 and below 1.",
        ),
    ] = None  # fmt: skip
    min_face: Annotated[
        int | None,
        typer.Option("--min-face", min=8, help="Smallest face to look for, pixels.", rich_help_panel=_PHOTOS),
    ] = None
    refine: Annotated[
        bool, typer.Option(help="Set the detector's points anew by 68 landmarks.", rich_help_panel=_PHOTOS)
    ] = True

    def detector(self) -> dict[str, Any]:
        """Arguments of ``faces.create_detector`` that were given."""
        options = {
            "name": self.face_detector, "threshold": self.detection_threshold, "min_face": self.min_face, "refine": self.refine
        }  # fmt: skip
        return {key: value for key, value in options.items() if value is not None}


@dataclass(frozen=True)
class PhotoOptions(DetectorOptions):
    """Which photos, and which faces in them."""

    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Look into the folders of INPUT, too.", rich_help_panel=_PHOTOS)
    ] = False
    faces: Annotated[
        str, typer.Option(help="Which faces: all, largest, center, or a number from 0.", rich_help_panel=_PHOTOS)
    ] = "all"
    max_side: Annotated[
        int | None,
        typer.Option("--max-side", min=64, help="Shrink photos to this longer side first.", rich_help_panel=_PHOTOS),
    ] = None

    def chosen_faces(self) -> str | int:
        """``faces`` as the pipeline takes it.

        Raises:
            typer.BadParameter: it is none of the words and no number.
        """
        if self.faces.isdecimal():
            return int(self.faces)
        if self.faces not in ("all", "largest", "center"):
            raise typer.BadParameter(
                f"{self.faces!r} is none of all, largest, center, or a number.", param_hint="--faces"
            )
        return self.faces


@dataclass(frozen=True)
class JobOptions:
    """All that a command which goes photo by photo can be told about photos and run."""

    photos: PhotoOptions
    resume: ResumeOptions
    engine: EngineOptions
    run: RunOptions


def choices(text: str, known: tuple[str, ...], option: str) -> tuple[str, ...]:
    """The words of a list with commas, in the order of ``known``; ``none`` is no word.

    Raises:
        typer.BadParameter: a word is unknown.
    """
    asked = [word.strip().lower() for word in text.split(",") if word.strip().lower() not in ("", "none")]
    unknown = [word for word in asked if word not in known]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(known)}.", param_hint=option)
    return tuple(word for word in known if word in asked)


def grouped(function: Callable[..., None]) -> Callable[..., None]:
    """Spreads arguments that are dataclasses (also of dataclasses) into one option a field, for Typer to see."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, type] = {}
    spread: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        kind = hints[parameter.name]
        if is_dataclass(kind):
            groups[parameter.name] = kind
            spread += _options_of(kind)
        else:
            spread.append(parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(function)
    def command(**values: Any) -> None:
        for name, kind in groups.items():
            values[name] = _gather(kind, values)
        function(**values)

    command.__signature__ = inspect.Signature(spread)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in spread}
    del command.__wrapped__
    return command


def _options_of(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    empty, found = inspect.Parameter.empty, []
    for field in fields(group):
        kind, default = hints[field.name], empty if field.default is MISSING else field.default
        option = inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        found += _options_of(kind) if is_dataclass(kind) else [option]
    return found


def _gather(group: type, values: dict[str, Any]) -> Any:
    """A group, from the values of its options, which are taken out."""
    hints = get_type_hints(group)
    return group(
        **{f.name: _gather(hints[f.name], values) if is_dataclass(hints[f.name]) else values.pop(f.name) for f in fields(group)}
    )
