"""``reconstruct``: rebuilds the heads in photos as they are."""

from __future__ import annotations

import typer

from batch.options import Input, JobOptions, Output, Tars, grouped
from batch.photo_options import HeadOptions, PersonOptions, do_photos, make_settings
from batch.photo_task import RECONSTRUCTION


def register(app: typer.Typer) -> None:
    """Adds ``reconstruct``."""
    app.command()(grouped(reconstruct))


def reconstruct(
    input: Input,
    output_dir: Output,
    job: JobOptions,
    heads: HeadOptions,
    person: PersonOptions,
    tars: Tars = False,
) -> None:
    """Rebuilds the heads in photos as they are.

    Example: python -m batch reconstruct photos -o out --formats glb,ply --images none
    """
    settings = make_settings((RECONSTRUCTION,), job.photos, heads=heads, person=person)
    do_photos(settings, input, output_dir, job, same_person=heads.same_person, tars=tars)
