"""``label``: a table of the age, race and gender that faces appear to have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from batch.options import Input, JobOptions, PhotoOptions, grouped

BACKENDS = ("facerecon", "deepface")
_OTHER_TABLES = (".tsv", ".txt", ".json", ".jsonl", ".parquet", ".xlsx")
STATE = ".state"  # ends the name of a table's folder, so that it is no folder of photos


@dataclass(frozen=True)
class LabelPhotoOptions(PhotoOptions):
    """Which photos, and one face of each unless more are asked for."""

    faces: Annotated[
        str,
        typer.Option(help="Which faces: largest, center, all, or a number from 0.", rich_help_panel="Photos and faces"),
    ] = "largest"


@dataclass(frozen=True)
class LabelOptions(JobOptions):
    """The options of every such command, with that choice of faces."""

    photos: LabelPhotoOptions


def register(app: typer.Typer) -> None:
    """Adds ``label``."""
    app.command()(grouped(label))


def label(
    input: Input,
    output: Annotated[
        str,
        typer.Option("--output", "-o", help="The table, such as labels.csv (what resuming needs is kept in labels.csv.state/), or a folder."),
    ],
    job: LabelOptions,
    backend: Annotated[
        str, typer.Option(help="facerecon: the estimator trained here; deepface: DeepFace, where it is installed.")
    ] = "facerecon",
) -> None:
    """Writes how old faces look, and of which gender and race (image, age, race, gender, confidence).

    These are guesses of what annotators would say: for balancing data and choosing test sets, never for
    decisions about people.

    Example: python -m batch label photos --backend facerecon --output labels.csv
    """
    if Path(output).suffix.lower() in _OTHER_TABLES and not Path(output).is_dir():
        raise typer.BadParameter(f"the table is CSV: call it {Path(output).stem}.csv, or give a folder.", param_hint="--output")
    if backend not in BACKENDS:
        raise typer.BadParameter(f"{backend!r} is none of {', '.join(BACKENDS)}.", param_hint="--backend")
    from batch.inputs import find_photos
    from batch.jobs import run_task
    from batch.label_task import LabelTask, write_table
    from batch.place import need_a_folder
    from batch.ranks import Ranks
    from batch.session import session

    ranks, photos = Ranks.of_this_process(), job.photos
    with session(job.run):
        need_a_folder(output, "label")
        folder, table = places(output)
        task = LabelTask(photos.chosen_faces(), photos.detector(), photos.max_side, ranks.device(job.engine.device), backend)
        try:
            run_task(task, find_photos(input, str(folder), photos.recursive), str(folder), job, results=str(table))
        finally:
            if not job.run.dry_run and ranks.rank == 0:
                write_table(folder, table)


def places(output: str) -> tuple[Path, Path]:
    """The folder of the run, and its table."""
    path = Path(output)
    return (path.with_name(f"{path.name}{STATE}"), path) if path.suffix.lower() == ".csv" else (path, path / "labels.csv")
