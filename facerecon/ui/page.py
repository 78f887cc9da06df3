"""The page: a title and its tabs."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from facerecon.pipeline import FaceReconstructor
from facerecon.ui import visitors
from facerecon.ui.photo_tab import PhotoTab

TITLE = "facerecon"
INTRODUCTION = """
# facerecon
A bad photo of a face in; a restored photo and a textured 3D head out. Every network was trained from scratch.
"""
CACHE_SECONDS = (3600, 6 * 3600)  # how often old uploads are looked for, and their age
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

THEME = gr.themes.Default(
    primary_hue="teal", secondary_hue="teal", neutral_hue="slate", radius_size="lg",
    font=["system-ui", "Segoe UI", "Roboto", "sans-serif"], font_mono=["ui-monospace", "monospace"],
)  # fmt: skip
CSS = """
.gradio-container { max-width: 1500px !important; margin: 0 auto; }
#figures table { width: 100%; }
#figures thead { display: none; }
#figures table, #figures tr, #figures td { border: none !important; }
#figures td { border-bottom: 1px solid var(--border-color-primary) !important; padding: 6px 4px; }
#figures td:first-child { color: var(--body-text-color-subdued); width: 35%; }
"""


def build_page(reconstructor: FaceReconstructor, examples: Path | None = None) -> gr.Blocks:
    """The page around a pipeline; ``examples`` is a folder of photos to try.

    ``THEME`` and ``CSS`` belong to its ``launch()``.
    """
    with gr.Blocks(title=TITLE, delete_cache=CACHE_SECONDS, analytics_enabled=False) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Tab("Photo"):
            PhotoTab(reconstructor, _photos(examples))
        page.unload(_forget)
    visitors.forget_all()
    return page


def _photos(folder: Path | None) -> list[Path]:
    if folder is None or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES)


def _forget(request: gr.Request) -> None:
    visitors.forget(request.session_hash)
