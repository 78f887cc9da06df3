"""The tab that rebuilds one head twice: with what is known of the person, and as the average person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from facerecon.head.hair import bald_vertices
from facerecon.head.model import HeadModel
from facerecon.types import Demographics
from facerecon.ui import demographics_form
from facerecon.ui.demographics_form import DemographicsForm
from facerecon.ui.engine import Engine, Seen
from facerecon.ui.errors import alert
from facerecon.ui.heads import HeadView
from facerecon.ui.limits import AT_ONCE
from facerecon.ui.photo_input import photo_input
from facerecon.ui.photo_work import look, run_for_each
from facerecon.ui.results import Finished
from facerecon.ui.statistics import STEP_LABELS, as_html, progress_bar
from facerecon.ui.style import RESULT_ROOM, scroll_to

INTRODUCTION = (
    "One photo, two heads: at the left with what is known of the person, at the right as if nothing were. "
    "Age, gender and ancestry move the head where the photo does not decide: its back, its sides, its depth."
)
AVERAGE = Demographics(auto_detect=False)
GO, BUSY = "Compare", "Working…"
FIRST, SECOND = "Rebuilding the head with demographics", "Rebuilding the head without"
STEPS = len(STEP_LABELS) + 2  # the second head is rebuilt and written
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


class CompareTab:
    """Lays the tab out in the surrounding ``gr.Blocks`` and wires it."""

    def __init__(self, engine: Engine, examples: list[Path]) -> None:
        self.engine = engine
        gr.HTML(f'<p class="fr-lead">{INTRODUCTION}</p>', padding=False)
        with gr.Row(equal_height=False):
            with gr.Column(scale=4, min_width=300):
                self.photo = photo_input("Your photo", "compare-photo", 260)
                self.found = gr.HTML("", padding=False, elem_classes="fr-maybe", elem_id="compare-message")
                if examples:
                    gr.Examples([[str(path)] for path in examples], [self.photo], label="Or try one of these")
                self.form = DemographicsForm()
                self.go = gr.Button(GO, variant="primary", size="lg", interactive=False, elem_id="compare-go")
                self.message = gr.HTML("", padding=False, elem_classes="fr-maybe")
            with gr.Column(scale=9, min_width=300):
                with gr.Row(equal_height=False, elem_classes="fr-stage"):
                    with gr.Column(min_width=300):
                        self.with_view = HeadView("With demographics", "compare-with", 500, sync="compare")
                        self.with_figures = gr.HTML("", padding=False, elem_classes="fr-maybe")
                    with gr.Column(min_width=300):
                        self.without_view = HeadView("Without demographics", "compare-without", 500, sync="compare")
                        self.without_figures = gr.HTML("", padding=False, elem_classes="fr-maybe")
                self.difference = gr.HTML("", padding=False, elem_classes="fr-maybe", elem_id="compare-difference")
        self._wire()

    def _wire(self) -> None:
        networks = {"concurrency_id": "networks", "concurrency_limit": AT_ONCE, "api_visibility": "private"}
        shown = [
            self.message, self.difference, *self.with_view.outputs, self.with_figures, *self.without_view.outputs,
            self.without_figures,
        ]  # fmt: skip
        self.go.click(None, None, None, js=scroll_to("#compare-go", RESULT_ROOM), **QUIET)  # first, as it must not wait for the run
        compared = self.go.click(
            self._run, [self.photo, self.with_view.shows_simple, *self.form.fields], [self.go, *shown],
            show_progress="hidden", **networks,
        )  # fmt: skip
        looked = [self.go, self.found, *self.form.outputs]
        emptied = self.photo.change(self._empty, self.form.auto_detect, [*looked, *shown], queue=False, cancels=compared, **QUIET)
        emptied.then(
            self._look, [self.photo, self.form.auto_detect], looked, show_progress="hidden", **networks
        )

    def _empty(self, auto_detect: bool) -> dict[Any, Any]:
        """Nothing of the photo before."""
        return {
            self.go: gr.Button(GO, interactive=False),
            **dict.fromkeys((self.found, self.message, self.difference, self.with_figures, self.without_figures), ""),
            **self.with_view.update(None, None, False),
            **self.without_view.update(None, None, False),
            **self.form.show(None, auto_detect),
        }

    def _look(self, path: str | None, auto_detect: bool) -> dict[Any, Any]:
        seen, message = None, ""
        if path:
            try:
                seen = look(self.engine, path)
            except Exception as error:
                message = alert(error)
        person = _largest(seen)
        return {
            self.go: gr.Button(interactive=seen is not None),
            self.found: message,
            **self.form.show(person, auto_detect),
        }

    def _run(self, request: gr.Request, path: str | None, simple: bool, *form: Any) -> Iterator[dict[Any, Any]]:
        """Shows how far it is, then the two heads."""
        yield {self.go: gr.Button(BUSY, interactive=False), self.message: progress_bar(FIRST, 0.0)}
        ready, heads, done = {self.go: gr.Button(GO, interactive=True)}, [], 0
        try:
            people = (demographics_form.stated(*form), AVERAGE)
            for news in run_for_each(self.engine, request.session_hash, path, people):
                if isinstance(news, Finished):
                    heads.append(news)
                elif news.seconds is not None:
                    done += 1
                    yield {self.message: progress_bar(SECOND if heads else FIRST, done / STEPS)}
        except Exception as error:
            yield {**ready, self.message: alert(error)}
            return
        yield {**ready, self.message: "", **self._shown(*heads, simple)}

    def _shown(self, known: Finished, average: Finished, simple: bool) -> dict[Any, Any]:
        return {
            self.difference: as_html(_differences(known, average, self.engine.pipeline.head)),
            **self.with_view.update(known, replace(known.heads[0], label="With demographics"), simple),
            self.with_figures: as_html(known.heads[0].figures),
            **self.without_view.update(average, replace(average.heads[0], label="Without"), simple),
            self.without_figures: as_html(average.heads[0].figures),
        }


def _largest(seen: Seen | None) -> Demographics | None:
    if seen is None:
        return None
    return seen.people[max(range(len(seen.faces)), key=lambda i: seen.faces[i].size)]


def _differences(known: Finished, average: Finished, model: HeadModel) -> dict[str, str]:
    """How far the two heads are apart without their hair, in words and millimetres."""
    one, other = (bald_vertices((finished.reconstructions or [])[0].parameters, model) for finished in (known, average))
    apart = np.linalg.norm(one - other, axis=1) * 1000
    width = (np.ptp(one[:, 0]) - np.ptp(other[:, 0])) * 1000
    return {
        "Between the heads, mean": f"{apart.mean():.1f} mm",
        "At most": f"{apart.max():.1f} mm",
        "Width with them, less without": f"{width:+.1f} mm",
    }
