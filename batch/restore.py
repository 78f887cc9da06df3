"""``restore``: restores the faces in photos."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from batch.options import Input, JobOptions, Output, Tars, grouped
from batch.photo_options import PersonOptions, RestoringOptions, do_photos, make_settings
from batch.photo_task import RESTORATION

Aligned = Annotated[
    bool, typer.Option("--aligned", help="The photos are crops of one face, aligned as FFHQ's are: nothing is looked for.")
]
OnlyFaces = Annotated[bool, typer.Option("--only-faces", help="Write the restored faces, not the photos they came from.")]


def register(app: typer.Typer) -> None:
    """Adds ``restore``."""
    app.command()(grouped(restore))


def restore(
    input: Input,
    output_dir: Output,
    job: JobOptions,
    restoring: RestoringOptions,
    person: PersonOptions,
    aligned: Aligned = False,
    only_faces: OnlyFaces = False,
    tars: Tars = False,
) -> None:
    """Restores the faces in photos.

    Examples:

    python -m batch restore photos -o out --fidelity 0.5 --upscale 2 --save-comparison

    python -m batch restore crops -o out --aligned --only-faces

    python -m batch restore ruined -o out --fidelity 0.3 --guided --age 70 --gender male --race Indian
    """
    if aligned:
        photos = replace(job.photos, face_detector="aligned", detection_threshold=None, min_face=None)
        job = replace(job, photos=photos)
    settings = replace(make_settings((RESTORATION,), job.photos, restoring, person=person), only_faces=only_faces)
    do_photos(settings, input, output_dir, job, tars=tars)
