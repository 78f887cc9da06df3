"""What the photo tab does with a photo: the same calls as the command line, and files to download."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from facerecon import outputs
from facerecon.images import focal_px_from_exif, load_image
from facerecon.pipeline import FaceReconstructor
from facerecon.restoration.photo import enlarge
from facerecon.types import Demographics, FaceReconError, Image, Reconstruction, Result

NAME = "face"


@dataclass(frozen=True)
class Work:
    """A finished photo and where its files go."""

    folder: Path
    photo: Image
    result: Result


@dataclass(frozen=True)
class HeadFiles:
    """What a visitor sees and downloads of one head.

    Attributes:
        label: for the choice between several heads.
        glb: shown in the viewer.
        statistics: Markdown.
        downloads: files by format: ``"glb"``, ``"obj"`` (a zip), ``"ply"``, ``"gltf"``, ``"json"``.
    """

    label: str
    glb: Path
    statistics: str
    downloads: dict[str, Path]


def demographics_from_form(
    auto_detect: bool, use_age: bool, age: float, gender: str | None, race: str | None, ethnicity: str | None
) -> Demographics | None:
    """What the visitor states; None when that is nothing and the network may judge."""
    stated = Demographics(
        age=float(age) if use_age else None,
        gender=gender if gender in ("female", "male") else None,
        race=race or None,
        ethnicity=(ethnicity or "").strip() or None,
        source="user",
        auto_detect=auto_detect,
    )
    return None if stated == Demographics(source="user") else stated


def do_photo(
    reconstructor: FaceReconstructor,
    folder: Path,
    path: str | None,
    fidelity: float,
    upscale: int,
    faces: str,
    demographics: Demographics | None,
) -> Work:
    """Restores a photo and rebuilds its heads; raises ``gr.Error`` with one sentence."""
    if not path:
        raise gr.Error("Choose a photo first.", print_exception=False)
    with _sentences():
        photo = load_image(path)
        focal_px = focal_px_from_exif(path, photo.shape[1])
        result = reconstructor.run(photo, fidelity, upscale, faces, demographics, focal_px=focal_px)
    return Work(folder, photo, result)


def before_and_after(work: Work) -> tuple[Image, Image]:
    """The photo and the restored photo at one size."""
    restoration = work.result.restoration
    return enlarge(work.photo, restoration.upscale), restoration.image


def write_restored(work: Work) -> Path:
    """The restored photo as a file."""
    with _sentences():
        return outputs.write_restoration(work.folder, NAME, work.photo, work.result.restoration)[0]


def write_heads(reconstructor: FaceReconstructor, work: Work, formats: tuple[str, ...]) -> list[HeadFiles]:
    """Each head in the formats asked for, GLB among them."""
    with _sentences():
        versions, model = reconstructor.versions(), reconstructor.head
        return [_write_head(work, head, model, versions, formats) for head in work.result.reconstructions]


def _write_head(
    work: Work, head: Reconstruction, model: Any, versions: dict[str, str], formats: tuple[str, ...]
) -> HeadFiles:
    files = outputs.write_head(work.folder, NAME, head, model, formats)
    downloads = {file.suffix[1:]: file for file in files if file.suffix[1:] in formats}
    if "obj" in downloads:
        parts = [file for file in files if file.suffix in (".obj", ".mtl", ".png")]
        downloads["obj"] = _zip(downloads["obj"].with_name(f"{downloads['obj'].stem}_obj.zip"), parts)
    downloads["json"] = outputs.write_parameters(work.folder, NAME, work.photo, head, model, versions)
    triangles = len(model.faces)
    return HeadFiles(f"Face {head.index + 1}", downloads["glb"], statistics(work, head, triangles), downloads)


def statistics(work: Work, head: Reconstruction, triangles: int) -> str:
    """Vertices, faces, seconds, pose and demographics, as a Markdown table."""
    pose = outputs.pose_degrees(head.parameters.rotation)
    rows = {
        "Vertices": f"{len(head.vertices):,}",
        "Faces": f"{triangles:,}",
        "Seconds": f"{work.result.seconds['total']:.1f}",
        "Head pose": ", ".join(f"{name} {round(degrees):+d}°" for name, degrees in pose.items()),
        "Demographics": _describe(head.parameters.demographics),
    }
    return "| | |\n|---|---|\n" + "\n".join(f"| {key} | {value} |" for key, value in rows.items())


def _describe(known: Demographics) -> str:
    values = {
        "age": None if known.age is None else f"{known.age:.0f}",
        "race": known.race,
        "ethnicity": known.ethnicity,
        "gender": known.gender,
    }
    stated = ", ".join(f"{key} {value}" for key, value in values.items() if value is not None).replace("|", "/")
    source = {"user": "as you said", "estimated": "read from the photo", "none": ""}[known.source]
    return f"{stated} ({source})" if stated and source else stated or "average"


def _zip(path: Path, parts: list[Path]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            archive.write(part, part.name)
    return path


@contextmanager
def _sentences() -> Iterator[None]:
    """Turns errors into one sentence for the visitor; the unexpected ones go to the log, too."""
    try:
        yield
    except FaceReconError as error:
        raise gr.Error(str(error), print_exception=False) from error
    except Exception as error:
        logging.getLogger(__name__).exception("the photo tab failed")
        raise gr.Error("Something unexpected went wrong with this photo.", print_exception=False) from error
