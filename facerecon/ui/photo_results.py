"""The right-hand side of the photo tab: what came out, its files, and a link to share it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from facerecon.ui import sharing, visitors
from facerecon.ui.engine import Engine
from facerecon.ui.errors import alert, note
from facerecon.ui.heads import HeadView
from facerecon.ui.limits import EXPORTS_AT_ONCE, KEPT_SECONDS, SHARED_SECONDS
from facerecon.ui.results import KINDS, Finished, GoneError, HeadCard, Shelf, adopt, export
from facerecon.ui.statistics import EMPTY, Progress, as_html

HEIGHT = 520
WHOLE, FACE = "photo", "face"
SCOPES = [("The face, close", FACE), ("Whole photo", WHOLE)]
READY = ("glb", "json")  # kinds of files that are there with the result
PROMISE = (
    f"Your photo and results are deleted after {KEPT_SECONDS // 60} minutes. A share link works for "
    f"{SHARED_SECONDS // 3600} hours, for everybody who has it."
)
# The file's address reaches the hidden button a moment after the event ends.
PRESS = "() => { setTimeout(() => document.querySelector('#made').click(), 200); }"
LINK = """(token) => {
  if (!token) return '';
  const link = new URL(window.location.href);
  link.search = ''; link.hash = '';
  link.searchParams.set('%s', token);
  if (navigator.clipboard) navigator.clipboard.writeText(link.href).catch(() => {});
  return link.href;
}""" % sharing.PARAMETER


class Results:
    """Lays the results out in the surrounding column and wires their buttons.

    Attributes:
        outputs: components that :meth:`show` updates.
    """

    def __init__(self, engine: Engine, shelf: Shelf, welcome: Finished | None = None) -> None:
        self.engine, self.shelf, self.welcome = engine, shelf, welcome
        self.key = gr.State(None)
        self.steps = gr.HTML(Progress().as_html(), elem_id="photo-steps", padding=False)
        with gr.Row(equal_height=False, elem_classes="fr-stage"):
            with gr.Column(min_width=300):
                self.slider = gr.ImageSlider(
                    label="Before and after", format="png", type="filepath", interactive=False, height=HEIGHT,
                    max_height=HEIGHT, elem_id="slider", buttons=["fullscreen"],
                )  # fmt: skip
                self.scope = gr.Radio(SCOPES, value=FACE, label="Show", show_label=False, elem_id="scope")
            with gr.Column(min_width=300):
                self.view = HeadView("3D head", "viewer", HEIGHT)
        self.choice = gr.Radio([], label="Head shown", visible=False, elem_id="head-choice")
        self.figures = gr.HTML(EMPTY, elem_id="figures", padding=False)
        self._files()
        self.outputs = [
            self.steps, self.slider, self.scope, *self.view.outputs, self.key, self.choice, self.figures, self.restored,
            *self.buttons.values(), self.share, self.link, self.problem,
        ]  # fmt: skip
        self._wire()

    def _files(self) -> None:
        gr.HTML('<h3 class="fr-heading">Take it with you</h3>', padding=False)
        with gr.Row(elem_classes="fr-files"):
            self.restored = gr.DownloadButton("Restored photo", variant="primary", interactive=False, size="md", min_width=150)
            self.buttons: dict[str, Any] = {
                kind: (gr.DownloadButton if kind in READY else gr.Button)(
                    label, interactive=False, size="md", min_width=84, elem_id=f"file-{kind}"
                )
                for kind, label in KINDS.items()
            }
            self.share = gr.Button("Share link", interactive=False, size="md", min_width=110, elem_id="share")
        self.made = gr.DownloadButton("Download", visible="hidden", elem_id="made")
        self.token = gr.Textbox(visible="hidden", label="Token")
        self.link = gr.Textbox(
            label="Anybody with this link sees the result", visible=False, interactive=False, buttons=["copy"], elem_id="link"
        )
        self.problem = gr.HTML("", padding=False, elem_classes="fr-maybe")
        gr.HTML(f'<p class="fr-small">{PROMISE}</p>', padding=False)

    def _wire(self) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        self.choice.input(
            self._another, [self.key, self.choice, self.scope, self.view.shows_simple],
            [self.slider, *self.view.outputs, self.figures, *self.buttons.values()], **quiet,
        )  # fmt: skip
        self.scope.input(self._slide, [self.key, self.choice, self.scope], self.slider, **quiet)
        exports = {"concurrency_id": "exports", "concurrency_limit": EXPORTS_AT_ONCE, **quiet}
        for kind, button in self.buttons.items():
            if kind not in READY:
                made = button.click(
                    self._maker(kind), [self.key, self.choice], [button, self.made, self.problem], **exports
                )
                made.success(None, None, None, js=PRESS, **quiet)
        shared = self.share.click(self._share, self.key, [self.token, self.link, self.problem], **exports)
        shared.success(None, self.token, self.link, js=LINK, **quiet)

    def show(self, finished: Finished, key: str, simple: bool) -> dict[Any, Any]:
        """A result."""
        labels = [head.label for head in finished.heads]
        return {
            self.steps: Progress(finished.seconds).as_html(),
            self.slider: _pair(finished, finished.heads[0], FACE),
            self.scope: FACE,
            self.key: key,
            self.choice: gr.Radio(choices=labels, value=labels[0], visible=len(labels) > 1),
            self.restored: gr.DownloadButton(value=str(finished.restored), interactive=True),
            self.share: gr.Button(interactive=True),
            self.link: gr.Textbox(value="", visible=False),
            self.problem: "",
            **self._head(finished, finished.heads[0], simple),
        }

    def _head(self, finished: Finished, head: HeadCard, simple: bool) -> dict[Any, Any]:
        return {
            **self.view.update(finished, head, simple),
            self.figures: as_html(head.figures),
            **{
                button: gr.DownloadButton(value=str(finished.file(head.number, kind)), interactive=True)
                if kind in READY
                else gr.Button(interactive=True)
                for kind, button in self.buttons.items()
            },
        }

    def _another(self, key: str | None, label: str, scope: str, simple: bool) -> dict[Any, Any]:
        finished = self.shelf.get(key)
        head = finished.head(label)
        return {self.slider: _pair(finished, head, scope), **self._head(finished, head, simple)}

    def _slide(self, key: str | None, label: str | None, scope: str) -> tuple[str, str] | None:
        try:
            finished = self.shelf.get(key)
        except GoneError:
            return None
        return _pair(finished, finished.head(label), scope)

    def _maker(self, kind: str) -> Any:
        def make(key: str | None, label: str | None) -> Iterator[dict[Any, Any]]:
            button = self.buttons[kind]
            yield {button: gr.Button("Making it…", interactive=False), self.problem: ""}
            ready = {button: gr.Button(KINDS[kind], interactive=True)}
            try:
                finished = self.shelf.get(key)
                path = export(finished, finished.head(label).number, kind, self.engine.pipeline.head)
                yield {**ready, self.made: gr.DownloadButton(value=str(path))}
            except Exception as error:
                yield {**ready, self.problem: alert(error)}

        return make

    def _share(self, key: str | None) -> dict[Any, Any]:
        try:
            token = sharing.keep(self.shelf.get(key), self.engine.pipeline.head)
        except Exception as error:
            return {self.problem: alert(error), self.token: ""}
        kept = note(f"The link is below, and copied where the browser allows it. It works until {sharing.kept_until()}.")
        return {self.token: token, self.link: gr.Textbox(visible=True), self.problem: kept}

    def open_first(self, simple: bool, request: gr.Request) -> dict[Any, Any]:
        """For the page's load event: shows what the link in its address shares, else the example."""
        token = request.query_params.get(sharing.PARAMETER)
        try:
            kept = sharing.open_shared(token) if token else self.welcome
            if kept is None:
                return {self.problem: ""}
            finished = adopt(kept, visitors.new_folder(request.session_hash))
            return self.show(finished, self.shelf.put(finished), simple)
        except Exception as error:
            return {self.problem: alert(error)}


def _pair(finished: Finished, head: HeadCard, scope: str) -> tuple[str, str]:
    before, after = finished.previews(head.number if scope == FACE else None)
    return str(before), str(after)
