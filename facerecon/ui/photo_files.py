"""The files of a result: those that are there, those made when asked for, the zip of all, and a link to share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from facerecon.ui import sharing
from facerecon.ui.engine import Engine, Step, follow
from facerecon.ui.errors import alert, note
from facerecon.ui.everything import pack_everything
from facerecon.ui.limits import EXPORTS_AT_ONCE, KEPT_SECONDS, SHARED_SECONDS
from facerecon.ui.results import KINDS, Finished, HeadCard, export
from facerecon.ui.shelf import Shelf
from facerecon.ui.statistics import progress_bar

READY = ("glb", "json")  # kinds of files that are there with the result
ALL = "zip"
LABELS = {ALL: "Everything (ZIP)", **KINDS}
BARS = {ALL: "Packing all files", "mp4": "Drawing the turntable"}  # what takes long enough for a bar
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


class Files:
    """Lays the buttons out in the surrounding column; :meth:`wire` makes them work.

    Attributes:
        outputs: components that :meth:`show` and :meth:`clear` update.
        of_head: those of them that belong to the head shown.
        problem: where errors, hints and progress are said.
    """

    def __init__(self, engine: Engine, shelf: Shelf) -> None:
        self.engine, self.shelf = engine, shelf
        gr.HTML('<h3 class="fr-heading">Take it with you</h3>', padding=False)
        with gr.Row(elem_classes="fr-files"):
            self.restored = gr.DownloadButton("Restored photo", variant="primary", interactive=False, size="md", min_width=150)
            self.buttons: dict[str, Any] = {
                kind: (gr.DownloadButton if kind in READY else gr.Button)(
                    label, interactive=False, size="md", min_width=84, elem_id=f"file-{kind}"
                )
                for kind, label in LABELS.items()
            }
            self.share = gr.Button("Share link", interactive=False, size="md", min_width=110, elem_id="share")
        self.made = gr.DownloadButton("Download", visible="hidden", elem_id="made")
        self.token = gr.Textbox(visible="hidden", label="Token")
        self.link = gr.Textbox(
            label="Anybody with this link sees the result", visible=False, interactive=False, buttons=["copy"], elem_id="link"
        )
        self.problem = gr.HTML("", padding=False, elem_classes="fr-maybe", elem_id="files-message")
        gr.HTML(f'<p class="fr-small">{PROMISE}</p>', padding=False)
        self.of_head = list(self.buttons.values())
        self.outputs = [self.restored, *self.of_head, self.made, self.share, self.link, self.problem]

    def wire(self, key: gr.State, choice: gr.Radio) -> list[Any]:
        """Makes the buttons work for the result of that key and the head chosen; gives the events that take a while."""
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        exports = {"concurrency_id": "exports", "concurrency_limit": EXPORTS_AT_ONCE, **quiet}
        slow = []
        for kind, button in self.buttons.items():
            if kind not in READY:
                made = button.click(self._maker(kind), [key, choice], [button, self.made, self.problem], **exports)
                made.success(None, None, None, js=PRESS, **quiet)
                slow.append(made)
        shared = self.share.click(self._share, key, [self.token, self.link, self.problem], **exports)
        shared.success(None, self.token, self.link, js=LINK, **quiet)
        return [*slow, shared]

    def show(self, finished: Finished, head: HeadCard) -> dict[Any, Any]:
        """The files of a result."""
        return {
            self.restored: gr.DownloadButton(value=str(finished.restored), interactive=True),
            self.share: gr.Button(interactive=True),
            self.link: gr.Textbox(value="", visible=False),
            self.problem: "",
            **self.show_head(finished, head),
        }

    def show_head(self, finished: Finished, head: HeadCard) -> dict[Any, Any]:
        """The files of another head of it."""
        return {
            button: gr.DownloadButton(value=str(finished.file(head.number, kind)), interactive=True)
            if kind in READY
            else gr.Button(LABELS[kind], interactive=True)
            for kind, button in self.buttons.items()
        }

    def clear(self) -> dict[Any, Any]:
        """Nothing to download."""
        nothing = gr.DownloadButton(value=None, interactive=False)
        return {
            self.restored: nothing,
            self.made: gr.DownloadButton(value=None),
            self.share: gr.Button(interactive=False),
            self.link: gr.Textbox(value="", visible=False),
            self.problem: "",
            **{
                button: nothing if kind in READY else gr.Button(LABELS[kind], interactive=False)
                for kind, button in self.buttons.items()
            },
        }

    def _maker(self, kind: str) -> Any:
        def make(key: str | None, label: str | None) -> Iterator[dict[Any, Any]]:
            button = self.buttons[kind]
            # No file made before: what is pressed afterwards would give that again where this one fails.
            yield {button: gr.Button("Making it…", interactive=False), self.problem: "", self.made: gr.DownloadButton(value=None)}
            ready = {button: gr.Button(LABELS[kind], interactive=True)}
            try:
                finished = self.shelf.get(key)
                for news in follow(lambda listen: self._make(finished, finished.head(label).number, kind, listen)):
                    if isinstance(news, Step):
                        yield {self.problem: progress_bar(BARS[kind], news.share)}
                    else:
                        yield {**ready, self.problem: "", self.made: gr.DownloadButton(value=str(news))}
            except Exception as error:
                yield {**ready, self.problem: alert(error)}

        return make

    def _make(self, finished: Finished, number: int, kind: str, listen: Callable[..., None]) -> Path:
        if kind == ALL:
            return pack_everything(finished, self.engine.pipeline.head, listen)
        if kind in BARS:
            listen(kind, None, 0.0)
        return export(finished, number, kind, self.engine.pipeline.head, listen)

    def _share(self, key: str | None) -> dict[Any, Any]:
        try:
            token = sharing.keep(self.shelf.get(key), self.engine.pipeline.head)
        except Exception as error:
            return {self.problem: alert(error), self.token: ""}
        kept = note(f"The link is ready, and copied where the browser allows it. It works until {sharing.kept_until()}.")
        return {self.token: token, self.link: gr.Textbox(visible=True), self.problem: kept}
