"""A page with viewers and a browser to look at it, for the tests of the viewer and for measuring it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch

from facerecon.export import export_head
from facerecon.head import HeadModel
from facerecon.types import Demographics, Face, HeadParameters, Reconstruction
from facerecon.ui.viewer import head_viewer, viewer_value

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SOFTWARE = (
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-gpu-watchdog",  # else a busy machine loses its WebGL contexts
)  # fmt: skip
TURNED = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])  # the nose to the picture's right
THEME = gr.themes.Default(font=["sans-serif"], font_mono=["monospace"])


def write_glb(folder: Path, name: str, colour: tuple[int, int, int], smile: float = 0.0) -> Path:
    """A head of one colour whose photo smiled that much."""
    head = HeadModel.from_pretrained()
    expression = np.zeros(len(head.expression_labels), np.float32)
    expression[[head.expression_labels.index(f"mouthSmile{side}") for side in ("Left", "Right")]] = smile
    identity = np.zeros(len(head.identity_labels), np.float32)
    known = Demographics()
    vertices = head.vertices(
        torch.from_numpy(identity)[None], torch.from_numpy(expression)[None], head.demographic_weights([known])
    )
    parameters = HeadParameters(
        identity, expression, known, np.eye(3), np.array([0, 0, -1.0]), 1000.0, np.zeros(2), np.zeros((9, 3))
    )
    face = Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32))
    texture = np.full((64, 64, 3), colour, np.uint8)
    reconstruction = Reconstruction(0, face, parameters, vertices[0].numpy(), np.zeros((68, 2)), texture)
    return export_head(folder / name, reconstruction, head, ("glb",))[0]


@contextmanager
def serve(red: Path, blue: Path, size: int = 320) -> Iterator[str]:
    """The address of a page: a viewer on its own, two in step, and buttons that send values."""
    values = {
        "Red": viewer_value(red, rotation=TURNED, name="Red"), "Blue": viewer_value(blue), "Nothing": None,
        "Broken": viewer_value(Path(__file__)),
    }  # fmt: skip
    with gr.Blocks(analytics_enabled=False) as page:
        viewer = head_viewer(label="Head", height=size, elem_id="single")
        with gr.Row():
            for title, value in values.items():
                gr.Button(title).click(lambda value=value: value, outputs=viewer)
        fallback = gr.Textbox("plain", label="Fallback", visible=False)
        viewer.unsupported(lambda: gr.Textbox(visible=True), outputs=fallback)
        with gr.Row():
            head_viewer(values["Red"], label="Left", height=size, sync="pair", elem_id="left")
            head_viewer(values["Blue"], label="Right", height=size, sync="pair", elem_id="right")
    _, address, _ = page.launch(
        prevent_thread_lock=True, quiet=True, theme=THEME, allowed_paths=[str(red.parent), str(Path(__file__).parent)]
    )
    try:
        yield address
    finally:
        page.close()


@contextmanager
def browse(playwright: Any, address: str, *arguments: str, **context: Any) -> Iterator[Any]:
    """A page at the address in a browser that draws on the processor and is cut off from the rest of the world.

    ``playwright`` is what ``playwright.sync_api.sync_playwright`` gives; a thread may hold one.
    """
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*SOFTWARE, *arguments])
    page = browser.new_context(**{"viewport": {"width": 900, "height": 1000}, **context}).new_page()
    page.set_default_timeout(60_000)
    page.route(lambda url: not url.startswith((address, "blob:", "data:")), lambda route: route.abort())
    page.add_init_script("window.viewerAt = (id) => document.querySelector(`#${id} .fr-viewer`)?.faceReconViewer")
    page.goto(address)
    page.wait_for_function("['single', 'left', 'right'].every(viewerAt)")
    yield page
    browser.close()
