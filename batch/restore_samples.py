"""``restore-samples``: a few photos restored at several fidelities, side by side, to choose one by eye."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batch.inputs import Photo, find_photos
from batch.options import FAILED, OK, Device, FolderOutput, Input, PhotoOptions, RunOptions, grouped
from batch.place import need_a_folder
from batch.session import Reporter, end_dry_run, session, would_do
from facerecon.types import FaceReconError, Image

if TYPE_CHECKING:
    from facerecon.pipeline import FaceReconstructor

SHEET = "restore_samples.jpg"
_TILE = 256  # pixels a side of a face in the sheet
_ROWS_A_SHEET = 40

NumSamples = Annotated[int, typer.Option("--num-samples", min=1, help="How many photos, evenly spread over INPUT.")]
Fidelities = Annotated[str, typer.Option("--fidelities", help="Which fidelities to try, with commas between.")]


def register(app: typer.Typer) -> None:
    """Adds ``restore-samples``."""
    app.command("restore-samples")(grouped(restore_samples))


def restore_samples(
    input: Input,
    output_dir: FolderOutput,
    photos: PhotoOptions,
    options: RunOptions,
    num_samples: NumSamples = 10,
    fidelities: Fidelities = "0,0.3,0.5,0.7,1",
    device: Device = "auto",
) -> None:
    """Restores a few photos at several fidelities and writes one comparison sheet.

    Example: python -m batch restore-samples photos -o out --num-samples 10
    """
    values = _fidelities(fidelities)
    chosen_faces = photos.chosen_faces()
    with session(options):
        need_a_folder(output_dir, "restore-samples")
        samples = spread(list(find_photos(input, output_dir, photos.recursive)), num_samples)
        if options.dry_run:
            sentence = f"{len(samples)} photos would be restored at {len(values)} fidelities each."
            for photo in samples:
                would_do(options, photo.relative)
            end_dry_run(options, sentence, len(samples))
            return
        from facerecon.pipeline import FaceReconstructor

        pipeline = FaceReconstructor.from_pretrained(device=device, **photos.detector())
        pipeline.load(reconstruction=False)
        rows: list[Image] = []
        with Reporter(options, len(samples)) as reporter:
            for photo in samples:
                try:
                    rows += compare(pipeline, photo, values, chosen_faces, photos.max_side)
                    reporter.item(photo.relative)
                except FaceReconError as error:
                    reporter.item(photo.relative, error=str(error))
        files = write_sheets(rows, Path(output_dir), values)
        reporter.finish(str(output_dir), {"sheets": ", ".join(file.name for file in files) or "none"})
        raise typer.Exit(FAILED if reporter.failed else OK)


def spread(photos: list[Photo], count: int) -> list[Photo]:
    """About evenly spread photos, at most ``count``."""
    if len(photos) <= count:
        return photos
    step = (len(photos) - 1) / max(count - 1, 1)
    return [photos[round(i * step)] for i in range(count)]


def compare(
    pipeline: FaceReconstructor, photo: Photo, fidelities: list[float], faces: str | int, max_side: int | None
) -> list[Image]:
    """One row of tiles a face: as it was, then at each fidelity.

    Raises:
        FaceReconError: the photo cannot be read or shows no face.
    """
    from batch.reading import read_photo
    from facerecon.faces.choose import choose_faces

    image = read_photo(photo, max_side).image
    found = pipeline.detector.detect(image)
    if not found:
        raise FaceReconError("No face was found in the photo.")
    chosen = [choose_faces(found, faces, image.shape)]
    results = [pipeline.restore_found([image], chosen, fidelity, 1, score=False)[0] for fidelity in fidelities]
    return [_row([face.crop, *(r.faces[i].restored for r in results)]) for i, face in enumerate(results[0].faces)]


def write_sheets(rows: list[Image], folder: Path, fidelities: list[float]) -> list[Path]:
    """Rows under a line that says what each column is, as many to a sheet as fit."""
    from facerecon.images import save_image

    files = []
    for start in range(0, len(rows), _ROWS_A_SHEET):
        ending = "" if len(rows) <= _ROWS_A_SHEET else f"_{start // _ROWS_A_SHEET + 1}"
        files.append(folder / SHEET.replace(".jpg", f"{ending}.jpg"))
        save_image(files[-1], _stack([_header(fidelities), *rows[start : start + _ROWS_A_SHEET]]))
    return files


def _fidelities(text: str) -> list[float]:
    try:
        values = [float(word) for word in text.split(",") if word.strip()]
    except ValueError:
        values = []
    if not values or not all(0 <= value <= 1 for value in values):
        raise typer.BadParameter(f"{text!r} is no list of numbers from 0 to 1.", param_hint="--fidelities")
    return values


def _row(tiles: list[Image]) -> Image:
    import cv2
    import numpy as np

    sized = [cv2.resize(tile, (_TILE, _TILE), interpolation=cv2.INTER_AREA) for tile in tiles]
    return np.concatenate(sized, 1)


def _header(fidelities: list[float]) -> Image:
    import cv2
    import numpy as np

    titles = ["before", *(f"fidelity {value:g}" for value in fidelities)]
    header = np.full((32, _TILE * len(titles), 3), 255, np.uint8)
    for i, title in enumerate(titles):
        cv2.putText(header, title, (i * _TILE + 8, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (30, 30, 30), 1, cv2.LINE_AA)
    return header


def _stack(parts: list[Image]) -> Image:
    import numpy as np

    return np.concatenate(parts)
