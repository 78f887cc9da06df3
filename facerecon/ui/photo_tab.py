"""The tab that restores a photo and rebuilds its heads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from facerecon.demographics import notes
from facerecon.types import UPSCALES, FaceReconError, RestorationExtras
from facerecon.ui import demographics_form, photo_work
from facerecon.ui.demographics_form import DemographicsForm
from facerecon.ui.engine import Engine, Seen, Step
from facerecon.ui.errors import alert, note
from facerecon.ui.limits import AT_ONCE, MAX_FACES
from facerecon.ui.photo_input import photo_input
from facerecon.ui.photo_results import Results
from facerecon.ui.results import Finished
from facerecon.ui.shelf import Shelf
from facerecon.ui.statistics import Progress
from facerecon.ui.style import scroll_to

GO = "Restore and reconstruct"
GUIDED = "guided"
BUSY = "Working…"
OPEN_FORM = "() => setTimeout(() => document.querySelector('#who').scrollIntoView({ behavior: 'smooth', block: 'center' }), 300)"
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


class PhotoTab:
    """Lays the tab out in the surrounding ``gr.Blocks`` and wires it.

    Args:
        engine: does the work.
        shelf: keeps what is finished.
        examples: photos to try.
        welcome: a finished photo that the page opens with.
    """

    def __init__(self, engine: Engine, shelf: Shelf, examples: list[Path], welcome: Finished | None = None) -> None:
        self.engine, self.shelf = engine, shelf
        self.seen = gr.State(None)
        with gr.Row(equal_height=False, elem_classes="fr-bench"):
            with gr.Column(scale=4, min_width=300, elem_classes="fr-side"):
                self._inputs(examples)
            with gr.Column(scale=9, min_width=300):
                self.message = gr.HTML("", elem_id="run-message", elem_classes="fr-maybe", padding=False)
                self.results = Results(engine, shelf, welcome)
                self.steps = self.results.steps
        self._wire()

    def _inputs(self, examples: list[Path]) -> None:
        self.photo = photo_input("Your photo", "photo")
        self.found = gr.HTML("", elem_id="photo-message", elem_classes="fr-maybe", padding=False)
        if examples:
            gr.Examples([[str(path)] for path in examples], [self.photo], label="Or try one of these", examples_per_page=12)
        self.portraits = gr.Gallery(
            label="Faces in the photo", columns=4, height=150, allow_preview=False, visible=False, format="png",
            interactive=False, buttons=[], object_fit="cover", elem_id="portraits",
        )  # fmt: skip
        self.faces = gr.Radio(
            photo_work.face_choices(1), value=photo_work.ALL, label="Which face?", visible=False, elem_id="faces"
        )
        self.fidelity = gr.Slider(
            0, 1, photo_work.FIDELITY, step=0.05, label="Fidelity", info="0 invents most, 1 keeps closest to the photo"
        )
        self.upscale = gr.Radio([(f"{n}×", n) for n in UPSCALES], value=1, label="Enlarge the photo")
        self.extras = gr.CheckboxGroup(
            [
                ("Colour black and white", "colorize"), ("Clean the background too", "background"),
                ("Let who it is guide what is invented", GUIDED),
            ],
            label="Extras", elem_id="extras",
        )  # fmt: skip
        with gr.Accordion("Who is it? (optional)", open=False, elem_id="who") as self.who:
            self.several = gr.HTML("", padding=False, elem_classes="fr-maybe")
            self.form = DemographicsForm()
        self.go = gr.Button(GO, variant="primary", size="lg", interactive=False, elem_id="go")

    def _wire(self) -> None:
        looked = [
            self.go, self.found, self.message, self.portraits, self.faces, self.several, self.seen, *self.form.outputs,
        ]  # fmt: skip
        self.portraits.select(_picked, None, self.faces, **QUIET)
        chosen = [self.faces, self.seen, self.form.auto_detect]
        self.faces.change(self._choose, chosen, [self.several, *self.form.outputs], **QUIET)
        self.go.click(None, None, None, js=scroll_to("#photo-steps"), **QUIET)  # first, as it must not wait for the run
        run = self.go.click(
            self._run,
            [
                self.photo, self.fidelity, self.upscale, self.faces, self.extras, self.results.view.shows_simple,
                *self.form.fields,
            ],
            [self.go, self.found, self.message, *self.results.outputs],
            concurrency_id="networks", concurrency_limit=AT_ONCE, show_progress="full",
            show_progress_on=self.steps, api_visibility="private",
        )  # fmt: skip
        # What is under way for the former photo is of no use: it ends, and its results go before the faces are looked for.
        emptied = self.photo.change(
            self._empty, self.form.auto_detect, [*looked, *self.results.outputs], queue=False,
            cancels=[run, *self.results.exports], **QUIET,
        )  # fmt: skip
        emptied.then(
            self._look, [self.photo, self.form.auto_detect], looked, concurrency_id="networks",
            concurrency_limit=AT_ONCE, **QUIET,
        )  # fmt: skip
        correct = self.results.correct.click(
            self._correct, [self.results.key, self.results.choice, self.seen], [self.who, self.faces, self.message], **QUIET
        )
        correct.then(None, None, None, js=OPEN_FORM, **QUIET)

    def _empty(self, auto_detect: bool) -> dict[Any, Any]:
        """Nothing of the photo before."""
        return {**self._faces_shown(None, auto_detect), **self.results.clear(), self.go: gr.Button(GO, interactive=False)}

    def _look(self, path: str | None, auto_detect: bool) -> dict[Any, Any]:
        """The faces of the photo."""
        if not path:
            return self._faces_shown(None, auto_detect)
        try:
            seen = photo_work.look(self.engine, path)
        except Exception as error:
            return {**self._faces_shown(None, auto_detect), self.found: alert(error)}
        return {**self._faces_shown(seen, auto_detect), self.found: note(_found(len(seen.faces)))}

    def _correct(self, key: str | None, label: str | None, seen: Seen | None) -> dict[Any, Any]:
        """Opens the form, for the face whose head is shown."""
        try:
            number = self.shelf.get(key).head(label).number
        except FaceReconError as error:
            return {self.message: alert(error)}
        several = seen is not None and len(seen.faces) > 1
        return {self.who: gr.Accordion(open=True), self.faces: str(number) if several else photo_work.ALL}

    def _faces_shown(self, seen: Seen | None, auto_detect: bool) -> dict[Any, Any]:
        count = len(seen.faces) if seen else 0
        portraits = [(image, f"Face {i + 1}") for i, image in enumerate(seen.portraits)] if seen else None
        return {
            self.go: gr.Button(interactive=count > 0),
            self.found: "",
            self.message: "",
            self.portraits: gr.Gallery(value=portraits, visible=count > 1, selected_index=None),
            self.faces: gr.Radio(
                choices=photo_work.face_choices(count), value=photo_work.ALL, visible=count > 1
            ),
            self.seen: seen,
            **self._choose(photo_work.ALL, seen, auto_detect),
        }

    def _choose(self, choice: str, seen: Seen | None, auto_detect: bool) -> dict[Any, Any]:
        several = choice == photo_work.ALL and seen is not None and len(seen.faces) > 1
        hint = "Each face is judged by itself. Choose a single one above to say who it is." if several else ""
        person = photo_work.chosen_person(seen, choice)
        return {self.several: note(hint), **self.form.show(person, auto_detect)}

    def _run(
        self,
        request: gr.Request,
        path: str | None,
        fidelity: float,
        upscale: int,
        faces: str,
        extras: list[str],
        simple: bool,
        *form: Any,
    ) -> Iterator[dict[Any, Any]]:
        """Shows each step as it goes, then the result."""
        progress = Progress()
        busy = {self.go: gr.Button(BUSY, interactive=False), self.found: "", self.message: ""}
        yield {**busy, self.steps: progress.as_html()}
        ready = {self.go: gr.Button(GO, interactive=True)}
        try:
            who = demographics_form.stated(*form)
            hints = " ".join(notes(who)) if who else ""
            wanted = RestorationExtras("background" in extras, "colorize" in extras, who if GUIDED in extras else None)
            for news in photo_work.run(self.engine, request.session_hash, path, fidelity, upscale, faces, who, wanted):
                if isinstance(news, Step):
                    progress.hear(news)
                    yield {self.steps: progress.as_html()}
                else:
                    yield {**ready, self.message: note(hints), **self.results.show(news, self.shelf.put(news), simple)}
        except Exception as error:
            yield {**ready, self.message: alert(error), self.steps: Progress().as_html()}


def _found(count: int) -> str:
    faces = "One face was found." if count == 1 else f"{count} faces were found."
    crowd = f"Many faces: the {MAX_FACES} largest are taken."
    return f"{crowd if count >= MAX_FACES else faces} Press “{GO}”."


def _picked(event: gr.SelectData) -> gr.Radio:
    return gr.Radio(value=str(event.index))
