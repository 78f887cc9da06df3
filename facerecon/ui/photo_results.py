"""The right-hand side of the photo tab: what came out."""

from __future__ import annotations

from typing import Any

import gradio as gr

from facerecon.ui import sharing, visitors
from facerecon.ui.engine import Engine
from facerecon.ui.errors import alert, note
from facerecon.ui.heads import HeadView
from facerecon.ui.photo_files import Files
from facerecon.ui.results import Finished, GoneError, HeadCard, adopt
from facerecon.ui.shelf import Shelf
from facerecon.ui.statistics import EMPTY, Progress, as_html

HEIGHT = 520
WHOLE, FACE = "photo", "face"
SCOPES = [("The face, close", FACE), ("Whole photo", WHOLE)]
SHARED = "Somebody shared this result with you. Put in a photo of your own to make another."
EXAMPLE = "This is a finished example. Put in a photo of your own, or choose one of the examples, to replace it."


class Results:
    """Lays the results out in the surrounding column and wires their buttons.

    Attributes:
        outputs: components that :meth:`show` and :meth:`clear` update.
        exports: events that take a while; they are for the result shown.
        correct: a button, seen where the values of a person were estimated.
    """

    def __init__(self, engine: Engine, shelf: Shelf, welcome: Finished | None = None) -> None:
        self.shelf, self.welcome = shelf, welcome
        self.key = gr.State(None)
        self.notice = gr.HTML("", elem_id="notice", elem_classes="fr-maybe", padding=False)
        self.steps = gr.HTML(Progress().as_html(), elem_id="photo-steps", padding=False)
        with gr.Row(equal_height=False, elem_classes="fr-stage"):
            with gr.Column(min_width=300):
                self.slider = gr.ImageSlider(
                    label="Before and after", format="png", type="filepath", interactive=False, height=HEIGHT,
                    max_height=HEIGHT, elem_id="slider", elem_classes="fr-slider", buttons=["fullscreen"],
                )  # fmt: skip
                self.scope = gr.Radio(SCOPES, value=FACE, label="Show", show_label=False, elem_id="scope")
            with gr.Column(min_width=300):
                self.view = HeadView("3D head", "viewer", HEIGHT)
        self.choice = gr.Radio([], label="Head shown", visible=False, elem_id="head-choice")
        self.figures = gr.HTML(EMPTY, elem_id="figures", padding=False)
        self.correct = gr.Button("Not right? Say who it is", size="sm", visible=False, elem_id="correct")
        self.files = Files(engine, shelf)
        self.outputs = [
            self.notice, self.steps, self.slider, self.scope, *self.view.outputs, self.key, self.choice, self.figures, self.correct,
            *self.files.outputs,
        ]  # fmt: skip
        self._wire()

    def _wire(self) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        self.choice.input(
            self._another, [self.key, self.choice, self.scope, self.view.shows_simple],
            [self.slider, *self.view.outputs, self.figures, self.correct, *self.files.of_head, self.files.problem], **quiet,
        )  # fmt: skip
        self.scope.input(self._slide, [self.key, self.choice, self.scope], [self.slider, self.files.problem], **quiet)
        self.exports = self.files.wire(self.key, self.choice)

    def show(self, finished: Finished, key: str, simple: bool) -> dict[Any, Any]:
        """A result."""
        labels = [head.label for head in finished.heads]
        return {
            self.notice: "",
            self.steps: Progress(finished.seconds).as_html(),
            self.slider: _pair(finished, finished.heads[0], FACE),
            self.scope: FACE,
            self.key: key,
            self.choice: gr.Radio(choices=labels, value=labels[0], visible=len(labels) > 1),
            **self.files.show(finished, finished.heads[0]),
            **self._head(finished, finished.heads[0], simple),
        }

    def clear(self) -> dict[Any, Any]:
        """No result: nothing of the former photo is to be seen or downloaded."""
        return {
            self.notice: "",
            self.steps: Progress().as_html(),
            self.slider: None,
            self.scope: FACE,
            self.key: None,
            self.choice: gr.Radio(choices=[], value=None, visible=False),
            self.figures: EMPTY,
            self.correct: gr.Button(visible=False),
            **self.view.update(None, None, False),
            **self.files.clear(),
        }

    def _head(self, finished: Finished, head: HeadCard, simple: bool) -> dict[Any, Any]:
        guessed = head.estimated and finished.reconstructions is not None
        return {
            **self.view.update(finished, head, simple),
            self.figures: as_html(head.figures),
            self.correct: gr.Button(visible=guessed),
            **self.files.show_head(finished, head),
        }

    def _another(self, key: str | None, label: str, scope: str, simple: bool) -> dict[Any, Any]:
        try:
            finished = self.shelf.get(key)
        except GoneError as error:
            return {self.files.problem: alert(error)}
        head = finished.head(label)
        return {self.slider: _pair(finished, head, scope), **self._head(finished, head, simple)}

    def _slide(self, key: str | None, label: str | None, scope: str) -> dict[Any, Any]:
        try:
            finished = self.shelf.get(key)
        except GoneError as error:
            return {self.files.problem: alert(error) if key else ""}
        return {self.slider: _pair(finished, finished.head(label), scope)}

    def open_first(self, simple: bool, request: gr.Request) -> dict[Any, Any]:
        """For the page's load event: shows what the link in its address shares, else the example."""
        token = request.query_params.get(sharing.PARAMETER)
        try:
            kept = sharing.open_shared(token) if token else self.welcome
            if kept is None:
                return {self.notice: ""}
            finished = adopt(kept, visitors.new_folder(request.session_hash))
            shown = self.show(finished, self.shelf.put(finished), simple)
            return {**shown, self.correct: gr.Button(visible=False), self.notice: note(SHARED if token else EXAMPLE)}
        except Exception as error:
            return {self.notice: alert(error)}


def _pair(finished: Finished, head: HeadCard, scope: str) -> tuple[str, str]:
    before, after = finished.previews(head.number if scope == FACE else None)
    return str(before), str(after)
