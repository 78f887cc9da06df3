"""``label``: a table of the age, race and gender that faces appear to have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from batch.options import EngineOptions, Input, PhotoOptions, ResumeOptions, RunOptions, grouped

BACKENDS = ("facerecon", "deepface")


@dataclass(frozen=True)
class LabelPhotoOptions(PhotoOptions):
    """Which photos, and one face of each unless more are asked for."""

    faces: Annotated[
        str,
        typer.Option(help="Which faces: largest, center, all, or a number from 0.", rich_help_panel="Photos and faces"),
    ] = "largest"


def register(app: typer.Typer) -> None:
    """Adds ``label``."""
    app.command()(grouped(label))


def label(
    input: Input,
    output: Annotated[
        str,
        typer.Option("--output", "-o", help="The table, such as labels.csv (what resuming needs is kept in labels/), or a folder."),
    ],
    photos: LabelPhotoOptions,
    resume: ResumeOptions,
    engine: EngineOptions,
    options: RunOptions,
    backend: Annotated[
        str, typer.Option(help="facerecon: the estimator trained here; deepface: DeepFace, where it is installed.")
    ] = "facerecon",
) -> None:
    """Writes how old faces look, and of which gender and race (image, age, race, gender, confidence).

    These are guesses of what annotators would say: for balancing data and choosing test sets, never for
    decisions about people.

    Example: python -m batch label photos --backend facerecon --output labels.csv
    """
    if backend not in BACKENDS:
        raise typer.BadParameter(f"{backend!r} is none of {', '.join(BACKENDS)}.", param_hint="--backend")
    from batch.inputs import find_photos
    from batch.jobs import run_task
    from batch.label_task import LabelTask, write_table
    from batch.session import session

    folder, table = places(output)
    with session(options):
        task = LabelTask(backend, photos.chosen_faces(), photos.detector(), photos.max_side, engine.device)
        try:
            run_task(task, find_photos(input, str(folder), photos.recursive), str(folder), options, resume, engine)
        finally:
            if not options.dry_run:
                write_table(folder, table)


def places(output: str) -> tuple[Path, Path]:
    """The folder of the run, and its table."""
    path = Path(output)
    return (path.with_suffix(""), path) if path.suffix.lower() == ".csv" else (path, path / "labels.csv")
