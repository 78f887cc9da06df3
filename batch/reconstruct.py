"""``reconstruct``: rebuilds the heads in photos as they are."""

from __future__ import annotations

import typer

from batch.options import EngineOptions, Input, Output, PhotoOptions, ResumeOptions, RunOptions, grouped
from batch.photo_options import HeadOptions, PersonOptions, do_photos, make_settings
from batch.photo_task import RECONSTRUCTION


def register(app: typer.Typer) -> None:
    """Adds ``reconstruct``."""
    app.command()(grouped(reconstruct))


def reconstruct(
    input: Input,
    output_dir: Output,
    photos: PhotoOptions,
    heads: HeadOptions,
    person: PersonOptions,
    resume: ResumeOptions,
    engine: EngineOptions,
    options: RunOptions,
) -> None:
    """Rebuilds the heads in photos as they are.

    Example: python -m batch reconstruct photos -o out --formats glb,ply --images none
    """
    settings = make_settings((RECONSTRUCTION,), photos, heads=heads, person=person)
    do_photos(settings, input, output_dir, photos, resume, engine, options, same_person=heads.same_person)
