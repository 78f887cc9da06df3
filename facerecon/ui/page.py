"""The page: its header, its tabs, its endpoints."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import gradio as gr

from facerecon.images import load_image
from facerecon.pipeline import FaceReconstructor
from facerecon.types import Result
from facerecon.ui import limits, sharing, style, visitors
from facerecon.ui.api import Endpoints
from facerecon.ui.compare_tab import CompareTab
from facerecon.ui.engine import Engine
from facerecon.ui.lab_tab import LabTab
from facerecon.ui.photo_tab import PhotoTab
from facerecon.ui.photo_work import FIDELITY, example_photos
from facerecon.ui.results import Finished, finish
from facerecon.ui.shelf import Shelf

WELCOME = "astronaut_lowres.png"
# Who follows a link wants to see what it leads to, which on a phone lies far below.
TO_SHARED = f"""() => {{
  if (new URL(window.location.href).searchParams.has('{sharing.PARAMETER}')) ({style.scroll_to("#notice")})();
}}"""
CACHE_SECONDS = (300, limits.KEPT_SECONDS)  # how often gradio looks for old files, and their age


def build_page(pipeline: FaceReconstructor, examples: Path | None = None, welcome: bool = False) -> gr.Blocks:
    """The page around a pipeline; :func:`launch_options` belong to its ``launch()``.

    Args:
        pipeline: the networks.
        examples: a folder of photos to try.
        welcome: finishes one of them now, for the page to open with.
    """
    visitors.forget_all()
    engine, shelf, photos = Engine(pipeline), Shelf(), example_photos(examples)
    finished = _welcome(engine, examples) if welcome and examples else None
    with gr.Blocks(title=style.TITLE, delete_cache=CACHE_SECONDS, analytics_enabled=False, fill_width=True) as page:
        gr.HTML(style.HEADER, padding=False)
        with gr.Tabs(overflow_behavior="wrap"):
            with gr.Tab("Restore and reconstruct", id="photo"):
                tab = PhotoTab(engine, shelf, photos, finished)
            with gr.Tab("Degradation lab", id="lab"):
                LabTab(engine, photos)
            with gr.Tab("Compare", id="compare"):
                CompareTab(engine, photos)
        gr.HTML(style.FOOTER, padding=False)
        Endpoints(engine)
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        opened = page.load(tab.results.open_first, tab.results.view.shows_simple, tab.results.outputs, **quiet)
        opened.then(None, None, None, js=TO_SHARED, **quiet)
        page.unload(_forget)
    page.queue(max_size=limits.MAX_WAITING, default_concurrency_limit=4)
    visitors.sweep_forever(visitors.sweep, sharing.sweep)
    return page


def launch_options() -> dict[str, Any]:
    """Arguments of ``launch()`` that the page needs."""
    return {
        "theme": style.THEME,
        "css_paths": style.CSS,
        "js": style.script(limits.MAX_UPLOAD_BYTES),
        "max_file_size": limits.MAX_UPLOAD_BYTES,
        "run_history": False,
        "show_error": True,
        "footer_links": ["api", "settings"],
    }


def _welcome(engine: Engine, examples: Path) -> Finished | None:
    """The page can do without it: on a host that lends GPUs there is none before the first visitor."""
    try:
        photo = load_image(examples / WELCOME)
        *_, result = engine.run(photo, None, FIDELITY, 1, "all", None)
        assert isinstance(result, Result)
        return finish(limits.kept_root() / "welcome", photo, result, engine.pipeline)
    except Exception:
        logging.getLogger(__name__).exception("the page opens without a finished example")
        return None


def _forget(request: gr.Request) -> None:
    visitors.forget(request.session_hash)
