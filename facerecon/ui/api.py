"""The named endpoints for programs: ``/restore``, ``/reconstruct`` and ``/run``.

They appear under "Use via API" and are called with ``gradio_client``; their inputs and
answers do not change when the page's layout does. Their components are never shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from facerecon import outputs
from facerecon.demographics import GENDERS, RACES, check_demographics
from facerecon.types import UPSCALES, Demographics, FaceReconError, Image, Reconstruction, Restoration, Result
from facerecon.ui import visitors
from facerecon.ui.engine import Engine
from facerecon.ui.errors import sentence
from facerecon.ui.limits import AT_ONCE
from facerecon.ui.photo_input import upload_only
from facerecon.ui.photo_work import FIDELITY, open_upload
from facerecon.ui.results import KINDS, NAME, Finished, export, write_heads


class Endpoints:
    """Adds the endpoints to the surrounding ``gr.Blocks``."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with gr.Row(visible=False):
            photo = upload_only(gr.Image(label="Photo", type="filepath", image_mode=None))
            fidelity = gr.Slider(0, 1, FIDELITY, label="0 invents most, 1 keeps closest to the photo")
            upscale = gr.Dropdown(list(UPSCALES), value=1, label="Enlarge the photo")
            upscale.preprocess = lambda sent: sent  # "2" is as good as 2: see _factor
            faces = gr.Textbox("all", label='"all", "largest", "center", or a number counted from 0')
            age = gr.Textbox("", label="Years, 0 to 100, or empty")
            gender = gr.Textbox("", label=f"One of {', '.join(GENDERS)}, or empty")
            race = gr.Textbox("", label=f"One of {', '.join(RACES)}, or empty")
            ethnicity = gr.Textbox("", label="Free words, or empty")
            auto_detect = gr.Checkbox(True, label="Judge from the photo what is not stated; else take the average")
            formats = gr.CheckboxGroup(list(KINDS), value=["glb"], label="Files wanted of each head")
            restored = gr.File(label="The restored photo, PNG")
            files = gr.File(label="The files asked for, head after head", file_count="multiple")
            details = gr.JSON(label="Figures")
            person = [age, gender, race, ethnicity, auto_detect]
            button = gr.Button()
            shared: dict[str, Any] = {"concurrency_id": "networks", "concurrency_limit": AT_ONCE}
            button.click(
                self.restore, [photo, fidelity, upscale, faces], [restored, details], api_name="restore", **shared
            )
            button.click(
                self.reconstruct, [photo, faces, *person, formats], [files, details], api_name="reconstruct", **shared
            )
            button.click(
                self.run, [photo, fidelity, upscale, faces, *person, formats], [restored, files, details],
                api_name="run", **shared,
            )  # fmt: skip

    def restore(
        self, photo: str, fidelity: float, upscale: int | str, faces: str, request: gr.Request
    ) -> tuple[str, dict[str, Any]]:
        """Restores the faces of a photo. Answers the restored photo (PNG) and, for each face, box and scores."""
        with _sentences():
            image, _ = open_upload(photo)
            restoration = self.engine.restore(image, fidelity, _factor(upscale), faces)
            return _write_restored(visitors.new_folder(request.session_hash), image, restoration)

    def reconstruct(
        self,
        photo: str,
        faces: str,
        age: str,
        gender: str,
        race: str,
        ethnicity: str,
        auto_detect: bool,
        formats: list[str],
        request: gr.Request,
    ) -> tuple[list[str], dict[str, Any]]:
        """Rebuilds heads from a photo as it is. Answers the files and the parameters of each head (docs/OUTPUTS.md)."""
        with _sentences():
            image, focal_px = open_upload(photo)
            person = _person(age, gender, race, ethnicity, auto_detect)
            heads = self.engine.reconstruct(image, focal_px, faces, person)
            return self._write_heads(visitors.new_folder(request.session_hash), image, heads, formats)

    def run(
        self,
        photo: str,
        fidelity: float,
        upscale: int | str,
        faces: str,
        age: str,
        gender: str,
        race: str,
        ethnicity: str,
        auto_detect: bool,
        formats: list[str],
        request: gr.Request,
    ) -> tuple[str, list[str], dict[str, Any]]:
        """Restores a photo and rebuilds its heads from the restored faces. Answers the restored photo, the files of the heads, and all figures."""
        with _sentences():
            image, focal_px = open_upload(photo)
            person = _person(age, gender, race, ethnicity, auto_detect)
            *_, result = self.engine.run(image, focal_px, fidelity, _factor(upscale), faces, person)
            assert isinstance(result, Result)
            folder = visitors.new_folder(request.session_hash)
            restored, figures = _write_restored(folder, image, result.restoration)
            files, heads = self._write_heads(folder, image, result.reconstructions, formats)
            return restored, files, {**figures, **heads, "seconds": outputs.plain(result.seconds)}

    def _write_heads(
        self, folder: Path, photo: Image, heads: list[Reconstruction], formats: list[str]
    ) -> tuple[list[str], dict[str, Any]]:
        pipeline = self.engine.pipeline
        write_heads(folder, photo, heads, pipeline)
        finished = Finished(folder, {}, [], heads)
        files = [export(finished, head.index, kind, pipeline.head) for head in heads for kind in formats]
        versions = pipeline.versions()
        values = [outputs.parameters(photo, head, pipeline.head, versions) for head in heads]
        return [str(file) for file in files], {"heads": values}


def _person(age: str, gender: str, race: str, ethnicity: str, auto_detect: bool) -> Demographics | None:
    person = check_demographics(Demographics(age.strip() or None, gender, race, ethnicity, "user", auto_detect))  # type: ignore[arg-type]
    return None if person == replace(Demographics(), source="user") else person


def _factor(upscale: int | str | None) -> int:
    """How many times larger, of what programs send."""
    known = {str(factor): factor for factor in UPSCALES}
    if str(upscale) not in known:
        raise FaceReconError(f"The photo can be enlarged by {', '.join(known)} times; {upscale!r} is none of these.")
    return known[str(upscale)]


def _write_restored(folder: Path, photo: Image, restoration: Restoration) -> tuple[str, dict[str, Any]]:
    path = outputs.write_restoration(folder, NAME, photo, restoration)[0]
    return str(path), outputs.restoration_figures(restoration)


@contextmanager
def _sentences() -> Iterator[None]:
    """Errors become one sentence for the caller."""
    try:
        yield
    except FaceReconError as error:
        raise gr.Error(str(error), print_exception=False) from error
    except Exception as error:
        raise gr.Error(sentence(error), print_exception=False) from error
