"""Options of ``run``, ``restore`` and ``reconstruct``, and the settings they make."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, get_args

import typer

from batch.inputs import find_photos
from batch.jobs import run_task
from batch.options import JobOptions, PhotoOptions, choices
from batch.photo_task import PhotoTask, Settings
from batch.place import Place
from batch.ranks import Ranks
from batch.same_person import with_shared_shape
from batch.session import follow, session
from facerecon.demographics import RACES, check_demographics, notes
from facerecon.output_names import CROP_SIDE, DENSE, FORMATS, PICTURES
from facerecon.types import CROP_SCALE, UPSCALES, Demographics, FaceReconError, Mode

_RESTORING, _HEADS, _PERSON = "Restoring", "Heads", "What is known of the person"


@dataclass(frozen=True)
class RestoringOptions:
    """How faces are restored."""

    fidelity: Annotated[
        float, typer.Option(min=0, max=1, help="0 invents most, 1 keeps closest to the photo.", rich_help_panel=_RESTORING)
    ] = 0.7
    upscale: Annotated[int, typer.Option(help="Enlarge the photo 1, 2 or 4 times.", rich_help_panel=_RESTORING)] = 1
    background: Annotated[
        bool, typer.Option("--background", help="Clean the whole photo, not only its faces.", rich_help_panel=_RESTORING)
    ] = False
    colorize: Annotated[
        bool, typer.Option("--colorize", help="Guess colours for black-and-white photos.", rich_help_panel=_RESTORING)
    ] = False
    guided: Annotated[
        bool,
        typer.Option("--guided", help="Let --age, --gender and --race guide what is invented.", rich_help_panel=_RESTORING),
    ] = False
    save_comparison: Annotated[
        bool, typer.Option("--save-comparison", help="Write before and after side by side.", rich_help_panel=_RESTORING)
    ] = False


@dataclass(frozen=True)
class HeadOptions:
    """What is written of each head."""

    formats: Annotated[
        str,
        typer.Option(help=f"Files of each head, with commas between: {', '.join((*FORMATS, DENSE))}; or none.", rich_help_panel=_HEADS),
    ] = "glb"
    images: Annotated[
        str,
        typer.Option(
            "--images", "--image-type", rich_help_panel=_HEADS,
            help=f"Pictures of each head, with commas between: {', '.join(PICTURES)}; or none.",
        ),
    ] = "overlay,geometry"
    save_mesh: Annotated[
        bool, typer.Option("--save-mesh/--no-save-mesh", help="Write the files of --formats.", rich_help_panel=_HEADS)
    ] = True
    save_images: Annotated[
        bool, typer.Option("--save-images/--no-save-images", help="Write the pictures of --images.", rich_help_panel=_HEADS)
    ] = True
    save_codes: Annotated[
        bool, typer.Option("--save-codes", help="Write all parameters as arrays, codes/NAME_00.npz.", rich_help_panel=_HEADS)
    ] = False
    crop_scale: Annotated[
        float,
        typer.Option(
            "--crop-scale", min=1.0, max=2.0, rich_help_panel=_HEADS,
            help="Framing of the face for the encoder; 1.25 is what it was trained on, more shows more around the face.",
        ),
    ] = CROP_SCALE
    crop_size: Annotated[
        int, typer.Option("--crop-size", min=32, max=2048, help="Side of the picture 'crop', pixels.", rich_help_panel=_HEADS)
    ] = CROP_SIDE
    mode: Annotated[
        str, typer.Option("--mode", help="detail adds wrinkles and folds from the photo; coarse leaves them out.", rich_help_panel=_HEADS)
    ] = "detail"
    delight: Annotated[
        bool, typer.Option("--delight", help="Take the photo's light and shade out of the base colour.", rich_help_panel=_HEADS)
    ] = False
    hair: Annotated[
        bool,
        typer.Option("--hair/--no-hair", help="Heads with the volume of the photo's hair, or bald.", rich_help_panel=_HEADS),
    ] = True
    same_person: Annotated[
        bool,
        typer.Option("--same-person", help="All photos show one person: one shape from all of them.", rich_help_panel=_HEADS),
    ] = False
    head_model: Annotated[
        Path | None,
        typer.Option(
            "--head-model", dir_okay=False, exists=True, rich_help_panel=_HEADS,
            help="Your FLAME (.pkl, .npz), BFM (.mat, .h5) or GNM (.npz) file: its mesh is fitted to each head, too.",
        ),
    ] = None


@dataclass(frozen=True)
class PersonOptions:
    """What the user knows of the person."""

    age: Annotated[
        float | None, typer.Option(min=0, max=100, help="Age in years, where known.", rich_help_panel=_PERSON)
    ] = None
    gender: Annotated[str | None, typer.Option(help="female or male, where known.", rich_help_panel=_PERSON)] = None
    race: Annotated[
        str | None, typer.Option(help=f"Where known: {', '.join(RACES)}.", rich_help_panel=_PERSON)
    ] = None
    ethnicity: Annotated[
        str | None, typer.Option(help="Free text, kept with the parameters.", rich_help_panel=_PERSON)
    ] = None
    auto_detect: Annotated[
        bool, typer.Option(help="Judge from the photo what is not said; otherwise the average.", rich_help_panel=_PERSON)
    ] = True

    def demographics(self) -> Demographics | None:
        """What was said, or None when nothing was.

        Raises:
            typer.BadParameter: a word is unknown.
        """
        stated = Demographics(self.age, self.gender, self.race, self.ethnicity, "user", self.auto_detect)
        if stated == Demographics(source="user"):
            return None
        try:
            return check_demographics(stated)
        except FaceReconError as error:
            raise typer.BadParameter(str(error)) from None


def make_settings(
    stages: tuple[str, ...],
    photos: PhotoOptions,
    restoring: RestoringOptions = RestoringOptions(),
    heads: HeadOptions = HeadOptions(formats="", images=""),
    person: PersonOptions = PersonOptions(),
) -> Settings:
    """The settings that options say.

    Raises:
        typer.BadParameter: an option is out of its range.
    """
    if heads.mode not in get_args(Mode):
        raise typer.BadParameter(f"{heads.mode!r} is none of {', '.join(get_args(Mode))}.", param_hint="--mode")
    if restoring.upscale not in UPSCALES:
        raise typer.BadParameter(f"{restoring.upscale} is none of 1, 2, 4.", param_hint="--upscale")
    if restoring.guided and person.demographics() is None:
        raise typer.BadParameter("say --age, --gender or --race, too", param_hint="--guided")
    return Settings(
        stages,
        restoring.fidelity,
        restoring.upscale,
        photos.chosen_faces(),
        person.demographics(),
        choices(heads.formats, (*FORMATS, DENSE), "--formats") if heads.save_mesh else (),
        choices(heads.images, PICTURES, "--images") if heads.save_images else (),
        restoring.save_comparison,
        photos.max_side,
        photos.detector(),
        heads.save_codes,
        heads.crop_scale,
        heads.crop_size,
        heads.delight,
        head_model=str(heads.head_model) if heads.head_model else None,
        background=restoring.background,
        colorize=restoring.colorize,
        guided=restoring.guided,
        mode=heads.mode,
        hair=heads.hair,
    )


def do_photos(
    settings: Settings,
    source: str,
    output: str,
    job: JobOptions,
    hint: str | None = None,
    same_person: bool = False,
    tars: bool = False,
) -> None:
    """Runs the pipeline on an input and ends the process with an exit code."""
    with session(job.run):
        for note in notes(settings.demographics) if settings.demographics else ():
            logging.getLogger("facerecon.batch").warning("%s", note)
        ranks, listing = Ranks.of_this_process(), find_photos(source, output, job.photos.recursive)
        device = ranks.device(job.engine.device)
        if same_person:
            shown = partial(follow, job.run, what="the person")
            settings = with_shared_shape(settings, listing, Place(output), device, ranks, job.run.dry_run, shown)
        run_task(PhotoTask(settings, device), listing, output, job, hint, tars)
