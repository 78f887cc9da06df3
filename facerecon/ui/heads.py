"""The 3D view of a head: ours where its files are built, else gradio's ``Model3D``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gradio as gr

from facerecon.ui.results import Finished, HeadCard

SIMPLE = "FACERECON_SIMPLE_VIEWER"  # set in the environment: Model3D for everybody

try:
    from facerecon.ui import viewer as ours
except ImportError:
    ours = None


class HeadView:
    """A view of one head; ``outputs`` are its components, ``update`` their new values.

    Args:
        sync: views with the same word move together, where ours is shown.
    """

    def __init__(self, label: str, elem_id: str, height: int = 560, sync: str | None = None) -> None:
        simple = ours is None or bool(os.environ.get(SIMPLE))
        self.view: gr.HTML | None = None
        if not simple:
            self.view = ours.head_viewer(label=label, height=height, elem_id=elem_id, sync=sync)
        self.model = gr.Model3D(
            label=f"{label}: drag to turn, scroll to zoom", height=height, interactive=False, visible=simple,
            clear_color=(0.93, 0.92, 0.91, 1.0), elem_id=f"{elem_id}-simple",
        )  # fmt: skip
        self.shows_simple = gr.State(simple)
        if self.view is not None:
            self.view.unsupported(
                lambda: (gr.Model3D(visible=True), True), None, [self.model, self.shows_simple],
                show_progress="hidden", api_visibility="private",
            )  # fmt: skip

    @property
    def outputs(self) -> list[Any]:
        """Components that :meth:`update` may change."""
        return [self.model] if self.view is None else [self.view, self.model]

    def update(self, finished: Finished | None, head: HeadCard | None, simple: bool) -> dict[Any, Any]:
        """Shows a head, or nothing for None; ``simple`` is the value of ``shows_simple``."""
        glb: Path | None = None if finished is None or head is None else finished.file(head.number, "glb")
        values: dict[Any, Any] = {self.model: str(glb) if glb and simple else None}
        if self.view is not None:
            rotation = None if head is None else _matrix(head.rotation)
            values[self.view] = ours.viewer_value(glb, rotation=rotation, name=head.label if head else "")
        return values


def _matrix(nine: list[float]) -> list[list[float]]:
    return [nine[i : i + 3] for i in (0, 3, 6)]
