"""The tab that restores a photo and rebuilds its heads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData

from facerecon.demographics import RACES, notes
from facerecon.outputs import FORMATS
from facerecon.pipeline import FaceReconstructor
from facerecon.restoration.photo import UPSCALES
from facerecon.ui import photo_work, visitors

FACES = [("all", "all"), ("the largest", "largest"), ("the one in the middle", "center")]
DOWNLOADS = {"glb": "GLB", "obj": "OBJ", "ply": "PLY", "gltf": "GLTF", "json": "JSON"}
NO_STATISTICS = "The head and its figures appear here."


class PhotoTab:
    """Lays the tab out in the surrounding ``gr.Blocks`` and wires it.

    Args:
        reconstructor: does the work.
        examples: photos to try.
    """

    def __init__(self, reconstructor: FaceReconstructor, examples: list[Path]) -> None:
        self.reconstructor = reconstructor
        self.heads = gr.State([])
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300):
                self._inputs()
            with gr.Column(scale=5, min_width=300):
                self._restored()
            with gr.Column(scale=5, min_width=300):
                self._head()
        if examples:
            gr.Examples([[str(path)] for path in examples], [self.photo], label="Photos to try")
        self._wire()

    def _inputs(self) -> None:
        self.photo = gr.Image(
            label="Photo", type="filepath", image_mode=None, format="png", height=320,
            sources=["upload", "webcam", "clipboard"], elem_id="photo",
        )  # fmt: skip
        self.photo.preprocess = _uploaded_path
        self.go = gr.Button("Restore and reconstruct", variant="primary", interactive=False, elem_id="go")
        self.fidelity = gr.Slider(
            0, 1, 0.7, step=0.05, label="Fidelity", info="0 invents most, 1 keeps closest to the photo"
        )
        self.upscale = gr.Radio([(f"{n}x", n) for n in UPSCALES], value=1, label="Enlarge the photo")
        self.faces = gr.Dropdown(FACES, value="all", label="Faces")
        with gr.Accordion("Who is it? (optional)", open=False):
            self.auto_detect = gr.Checkbox(True, label="Auto-detect from the photo what is not said here")
            with gr.Row():
                self.use_age = gr.Checkbox(False, label="Use age", min_width=90, scale=1)
                self.age = gr.Slider(0, 100, 35, step=1, label="Age", interactive=False, scale=3)
            self.gender = gr.Radio([("not said", ""), "female", "male"], value="", label="Gender")
            self.race = gr.Dropdown([("not said", ""), *RACES], value="", label="Race")
            self.ethnicity = gr.Textbox(label="Ethnicity", max_lines=1, max_length=100)

    def _restored(self) -> None:
        self.slider = gr.ImageSlider(
            label="Before and after", format="png", type="numpy", interactive=False, height=460, elem_id="slider"
        )
        self.restored = gr.DownloadButton("Restored photo (PNG)", interactive=False)

    def _head(self) -> None:
        self.viewer = gr.Model3D(
            label="Head: drag to turn, scroll to zoom", height=460, interactive=False,
            clear_color=(0.95, 0.95, 0.96, 1.0), elem_id="viewer",
        )  # fmt: skip
        self.choice = gr.Dropdown([], label="Head shown", visible=False)
        with gr.Row():
            self.downloads = {
                key: gr.DownloadButton(label, interactive=False, size="sm", min_width=60)
                for key, label in DOWNLOADS.items()
            }
        self.figures = gr.Markdown(NO_STATISTICS, elem_id="figures")

    def _wire(self) -> None:
        self.photo.change(lambda path: gr.Button(interactive=bool(path)), self.photo, self.go, show_progress="hidden")
        self.use_age.change(lambda on: gr.Slider(interactive=on), self.use_age, self.age, show_progress="hidden")
        inputs = [
            self.photo, self.fidelity, self.upscale, self.faces, self.auto_detect, self.use_age, self.age,
            self.gender, self.race, self.ethnicity,
        ]  # fmt: skip
        shown = [self.slider, self.restored, self.heads, self.choice, self.viewer, self.figures, *self.downloads.values()]
        self.go.click(self.run, inputs, shown, concurrency_limit=1, api_name="run")
        self.choice.input(
            self.show, [self.heads, self.choice], [self.viewer, self.figures, *self.downloads.values()]
        )

    def run(
        self,
        photo: str | None,
        fidelity: float,
        upscale: int,
        faces: str,
        auto_detect: bool,
        use_age: bool,
        age: float,
        gender: str,
        race: str,
        ethnicity: str,
        request: gr.Request,
    ) -> Iterator[dict[Any, Any]]:
        """Shows the result as soon as it is there, then makes the other downloads."""
        folder = visitors.new_folder(request.session_hash)
        stated = photo_work.demographics_from_form(auto_detect, use_age, age, gender, race, ethnicity)
        for note in notes(stated) if stated else ():
            gr.Info(note)
        work = photo_work.do_photo(self.reconstructor, folder, photo, fidelity, upscale, faces, stated)
        heads = photo_work.write_heads(self.reconstructor, work, ("glb",))
        labels = [head.label for head in heads]
        yield {
            self.slider: photo_work.before_and_after(work),
            self.restored: gr.DownloadButton(value=photo_work.write_restored(work), interactive=True),
            self.heads: heads,
            self.choice: gr.Dropdown(choices=labels, value=labels[0], visible=len(labels) > 1),
            **self._one_head(heads[0]),
        }
        heads = photo_work.write_heads(self.reconstructor, work, FORMATS)
        yield {self.heads: heads, **self._buttons(heads[0])}

    def show(self, heads: list[photo_work.HeadFiles], label: str) -> dict[Any, Any]:
        """Shows another head."""
        return self._one_head(next(head for head in heads if head.label == label))

    def _one_head(self, head: photo_work.HeadFiles) -> dict[Any, Any]:
        return {self.viewer: head.glb, self.figures: head.statistics, **self._buttons(head)}

    def _buttons(self, head: photo_work.HeadFiles) -> dict[Any, Any]:
        return {
            button: gr.DownloadButton(value=head.downloads.get(key), interactive=key in head.downloads)
            for key, button in self.downloads.items()
        }


def _uploaded_path(upload: ImageData | None) -> str | None:
    """The visitor's file untouched, for ``load_image`` to read, in place of gradio's own decoding."""
    return None if upload is None else upload.path
