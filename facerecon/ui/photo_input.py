"""The place where a visitor puts a photo."""

from __future__ import annotations

import gradio as gr
from gradio.data_classes import ImageData

from facerecon.ui.limits import check_uploaded


def photo_input(label: str, elem_id: str, height: int = 300, value: str | None = None) -> gr.Image:
    """A place for a photo: dropped, chosen, pasted, or taken with the camera; its value is the path of the upload."""
    image = gr.Image(
        value, label=label, type="filepath", image_mode=None, format="png", height=height,
        sources=["upload", "webcam", "clipboard"], elem_id=elem_id, elem_classes="fr-photo", buttons=["fullscreen"],
        placeholder="Drop a photo here, click to choose one, or paste it",
    )  # fmt: skip
    return upload_only(image)


def upload_only(image: gr.Image) -> gr.Image:
    """The same component, giving the visitor's file untouched, for ``load_image`` to read, in place of gradio's decoding."""
    image.preprocess = _uploaded_path
    return image


def _uploaded_path(upload: ImageData | None) -> str | None:
    return None if upload is None or upload.path is None else str(check_uploaded(upload.path))
