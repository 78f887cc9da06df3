"""``run``: restores photos and rebuilds the heads in them."""

from __future__ import annotations

import typer

from batch.options import Input, JobOptions, Output, Tars, grouped
from batch.photo_options import HeadOptions, PersonOptions, RestoringOptions, do_photos, make_settings
from batch.photo_task import RECONSTRUCTION, RESTORATION


def register(app: typer.Typer) -> None:
    """Adds ``run``."""
    app.command()(grouped(run))


def run(
    input: Input,
    output_dir: Output,
    job: JobOptions,
    restoring: RestoringOptions,
    heads: HeadOptions,
    person: PersonOptions,
    tars: Tars = False,
) -> None:
    """Restores photos and rebuilds the heads in them.

    Examples:

    python -m batch run photos -o out --recursive

    python -m batch run photo.jpg -o out --age 62 --formats glb,obj --images turntable
    """
    settings = make_settings((RESTORATION, RECONSTRUCTION), job.photos, restoring, heads, person)
    hint = "Open the demo page with: python app.py"
    do_photos(settings, input, output_dir, job, hint, heads.same_person, tars=tars)
