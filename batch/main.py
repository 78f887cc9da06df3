"""The command line: parses, calls ``batch.jobs``, shows how far it is."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from batch.inputs import find_photos
from batch.jobs import Settings, Summary, run_photos
from batch.manifest import RECONSTRUCTION, RESTORATION, Record
from facerecon.demographics import RACES, check_demographics, notes
from facerecon.outputs import FORMATS, PICTURES
from facerecon.pipeline import FaceReconstructor
from facerecon.restoration.photo import UPSCALES
from facerecon.types import Demographics, FaceReconError

app = typer.Typer(
    help="Restores photos of faces and rebuilds the heads in them. Run the same command again to go on after a stop.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out, log = Console(), Console(stderr=True)

Input = Annotated[Path, typer.Argument(metavar="INPUT", help="A photo, or a folder of photos.")]
Output = Annotated[Path, typer.Option("--output-dir", "-o", help="Folder for the results.")]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Look into the folders of INPUT, too.")]
Fidelity = Annotated[float, typer.Option(min=0, max=1, help="0 invents most, 1 keeps closest to the photo.")]
Upscale = Annotated[int, typer.Option(help="Enlarge the photo 1, 2 or 4 times.")]
Faces = Annotated[str, typer.Option(help="Which faces: all, largest, center, or a number from 0.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Formats = Annotated[str, typer.Option(help=f"Files of each head, with commas between: {', '.join(FORMATS)}.")]
Images = Annotated[str, typer.Option(help=f"Pictures of each head: {', '.join(PICTURES)}; or none.")]
Age = Annotated[float | None, typer.Option(min=0, max=100, help="Age in years, where known.")]
Gender = Annotated[str | None, typer.Option(help="female or male, where known.")]
Race = Annotated[str | None, typer.Option(help=f"Where known: {', '.join(RACES)}.")]
Ethnicity = Annotated[str | None, typer.Option(help="Free text, kept with the parameters.")]
AutoDetect = Annotated[bool, typer.Option(help="Judge from the photo what is not said; otherwise the average.")]
Comparison = Annotated[bool, typer.Option("--save-comparison", help="Write before and after side by side.")]
DetectorName = Annotated[str, typer.Option("--face-detector", help="The face detector.")]
Threshold = Annotated[float | None, typer.Option("--detection-threshold", min=0, max=1, help="Least score of a face.")]
MinFace = Annotated[int | None, typer.Option("--min-face", min=8, help="Smallest face to look for, pixels.")]
MaxSide = Annotated[int | None, typer.Option("--max-side", min=64, help="Shrink photos to this longer side first.")]
Force = Annotated[bool, typer.Option("--force", help="Do everything again.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try photos again that failed before.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show failures only.")]


@app.command()
def run(
    input: Input,
    output_dir: Output,
    recursive: Recursive = False,
    fidelity: Fidelity = 0.7,
    upscale: Upscale = 1,
    faces: Faces = "all",
    formats: Formats = "glb",
    images: Images = "overlay,geometry",
    age: Age = None,
    gender: Gender = None,
    race: Race = None,
    ethnicity: Ethnicity = None,
    auto_detect: AutoDetect = True,
    save_comparison: Comparison = False,
    device: Device = "auto",
    face_detector: DetectorName = "mtcnn",
    detection_threshold: Threshold = None,
    min_face: MinFace = None,
    max_side: MaxSide = None,
    force: Force = False,
    retry_failed: RetryFailed = False,
    quiet: Quiet = False,
) -> None:
    """Restores photos and rebuilds the heads in them."""
    settings = _settings(
        (RESTORATION, RECONSTRUCTION), fidelity=fidelity, upscale=upscale, faces=faces, formats=formats, images=images,
        demographics=(age, gender, race, ethnicity, auto_detect), comparison=save_comparison, max_side=max_side,
        detector=(face_detector, detection_threshold, min_face),
    )  # fmt: skip
    _go(input, output_dir, recursive, settings, device, force, retry_failed, quiet)


@app.command()
def restore(
    input: Input,
    output_dir: Output,
    recursive: Recursive = False,
    fidelity: Fidelity = 0.7,
    upscale: Upscale = 1,
    faces: Faces = "all",
    save_comparison: Comparison = False,
    device: Device = "auto",
    face_detector: DetectorName = "mtcnn",
    detection_threshold: Threshold = None,
    min_face: MinFace = None,
    max_side: MaxSide = None,
    force: Force = False,
    retry_failed: RetryFailed = False,
    quiet: Quiet = False,
) -> None:
    """Restores photos."""
    settings = _settings(
        (RESTORATION,), fidelity=fidelity, upscale=upscale, faces=faces, comparison=save_comparison,
        max_side=max_side, detector=(face_detector, detection_threshold, min_face),
    )  # fmt: skip
    _go(input, output_dir, recursive, settings, device, force, retry_failed, quiet)


@app.command()
def reconstruct(
    input: Input,
    output_dir: Output,
    recursive: Recursive = False,
    faces: Faces = "all",
    formats: Formats = "glb",
    images: Images = "overlay,geometry",
    age: Age = None,
    gender: Gender = None,
    race: Race = None,
    ethnicity: Ethnicity = None,
    auto_detect: AutoDetect = True,
    device: Device = "auto",
    face_detector: DetectorName = "mtcnn",
    detection_threshold: Threshold = None,
    min_face: MinFace = None,
    max_side: MaxSide = None,
    force: Force = False,
    retry_failed: RetryFailed = False,
    quiet: Quiet = False,
) -> None:
    """Rebuilds the heads in photos as they are."""
    settings = _settings(
        (RECONSTRUCTION,), faces=faces, formats=formats, images=images, demographics=(age, gender, race, ethnicity, auto_detect),
        max_side=max_side, detector=(face_detector, detection_threshold, min_face),
    )  # fmt: skip
    _go(input, output_dir, recursive, settings, device, force, retry_failed, quiet)


def make_reconstructor(device: str, settings: Settings) -> FaceReconstructor:
    """The pipeline of a run, with the detector that was asked for."""
    return FaceReconstructor.from_pretrained(device=device, **settings.detector)


def _settings(
    stages: tuple[str, ...],
    fidelity: float = 0.7,
    upscale: int = 1,
    faces: str = "all",
    formats: str = "",
    images: str = "",
    demographics: tuple[float | None, str | None, str | None, str | None, bool] = (None, None, None, None, True),
    comparison: bool = False,
    max_side: int | None = None,
    detector: tuple[str, float | None, int | None] = ("mtcnn", None, None),
) -> Settings:
    if upscale not in UPSCALES:
        raise typer.BadParameter(f"{upscale} is none of 1, 2, 4.", param_hint="--upscale")
    if not faces.isdigit() and faces not in ("all", "largest", "center"):
        raise typer.BadParameter(f"{faces!r} is none of all, largest, center, or a number.", param_hint="--faces")
    options = dict(zip(("name", "threshold", "min_face"), detector))
    return Settings(
        stages,
        fidelity,
        upscale,
        int(faces) if faces.isdigit() else faces,
        _demographics(*demographics),
        _choices(formats, FORMATS, "--formats"),
        _choices(images, PICTURES, "--images"),
        comparison,
        max_side,
        {key: value for key, value in options.items() if value is not None},
    )


def _choices(text: str, known: tuple[str, ...], option: str) -> tuple[str, ...]:
    asked = [word.strip().lower() for word in text.split(",") if word.strip().lower() not in ("", "none")]
    unknown = [word for word in asked if word not in known]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(known)}.", param_hint=option)
    return tuple(word for word in known if word in asked)


def _demographics(
    age: float | None, gender: str | None, race: str | None, ethnicity: str | None, auto_detect: bool
) -> Demographics | None:
    stated = Demographics(age, gender, race, ethnicity, "user", auto_detect)
    if stated == Demographics(source="user"):
        return None
    try:
        return check_demographics(stated)
    except FaceReconError as error:
        raise typer.BadParameter(str(error)) from None


def _go(
    source: Path,
    output: Path,
    recursive: bool,
    settings: Settings,
    device: str,
    force: bool,
    retry_failed: bool,
    quiet: bool,
) -> None:
    """Runs, reports, and ends the process: 0 all well, 1 something failed, 130 stopped by Ctrl-C."""
    _log_to_console()
    for note in notes(settings.demographics) if settings.demographics else ():
        logging.getLogger("facerecon.batch").warning("%s", note)
    summary = Summary()
    try:
        photos = find_photos(source, output, recursive)
        with _Bar(len(photos), quiet) as bar:
            summary = run_photos(
                make_reconstructor(device, settings), photos, output, settings, bar.report, force, retry_failed
            )
    except KeyboardInterrupt:
        log.print("Stopped. What is done is kept; run the same command again to go on.")
        raise typer.Exit(130) from None
    except FaceReconError as error:
        log.print(f"[red]{escape(str(error))}[/red]", soft_wrap=True)
        raise typer.Exit(1) from None
    if not quiet:
        _say_what_was_done(summary, output, settings)
    raise typer.Exit(1 if summary.failed else 0)


def _say_what_was_done(summary: Summary, output: Path, settings: Settings) -> None:
    before = f", {summary.skipped} done before" if summary.skipped else ""
    out.print(f"{summary.done} done{before}, {summary.failed} failed. The results are in {escape(str(output))}.")
    if settings.stages == (RESTORATION, RECONSTRUCTION):
        out.print("Open the demo page with: python app.py")


def _log_to_console() -> None:
    logger = logging.getLogger("facerecon")
    logger.propagate = False
    if not any(isinstance(handler, _ConsoleHandler) for handler in logger.handlers):
        logger.addHandler(_ConsoleHandler(logging.WARNING))


class _ConsoleHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log.print(f"[yellow]note[/yellow] {escape(record.getMessage())}", soft_wrap=True)


class _Bar:
    """A progress bar that also prints failures; silent but for these when ``quiet``."""

    def __init__(self, total: int, quiet: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=log, disable=quiet,
        )  # fmt: skip
        self._task = self._progress.add_task("photos", total=total)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def report(self, record: Record, earlier: bool) -> None:
        """Takes note of a photo."""
        if record.status == "failed":
            when = " (before; --retry-failed tries again)" if earlier else ""
            log.print(f"[red]failed[/red] {escape(record.input)}: {escape(record.error or '')}{when}", soft_wrap=True)
        self._progress.advance(self._task)
