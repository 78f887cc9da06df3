"""The fields that say who is in a photo: read from it, editable, each of them optional."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import gradio as gr

from facerecon.demographics import RACES
from facerecon.types import Demographics
from facerecon.ui.certainty import as_bars

UNSPECIFIED = ("Unspecified", "")
HINT = "Values are filled in from the photo. They are rough guesses: correct what is wrong, or leave it unspecified."
NAMES = ("age", "gender", "race")  # what networks estimate


class DemographicsForm:
    """Lays the fields out and wires them.

    Attributes:
        fields: for the inputs of an event; :func:`stated` takes their values.
        estimate: unseen, what the network takes the person for (``Demographics`` or None).
        outputs: components that :meth:`show` updates.
    """

    def __init__(self) -> None:
        self.estimate = _estimate()
        self.auto_detect = gr.Checkbox(True, label="Detect from the photo", info=HINT)
        self.sure = gr.HTML("", padding=False, elem_classes="fr-maybe")
        with gr.Row():
            self.use_age = gr.Checkbox(False, label="Use age", min_width=110, scale=1, elem_classes="fr-use")
            self.age = gr.Slider(0, 100, 35, step=1, label="Age in years", interactive=False, min_width=160, scale=3)
        self.gender = gr.Radio([UNSPECIFIED, ("Female", "female"), ("Male", "male")], value="", label="Gender")
        self.race = gr.Dropdown([UNSPECIFIED, *RACES], value="", label="Race")
        self.ethnicity = gr.Textbox(
            label="Ethnicity", placeholder="In your own words", max_lines=1, max_length=100
        )
        self.fields = [
            self.auto_detect, self.use_age, self.age, self.gender, self.race, self.ethnicity, self.estimate,
        ]  # fmt: skip
        self._shown = [self.use_age, self.age, self.gender, self.race, self.ethnicity, self.sure]
        self.outputs = [self.estimate, *self._shown]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        self.use_age.change(lambda on: gr.Slider(interactive=on), self.use_age, self.age, **quiet)
        self.auto_detect.input(self._toggle, [self.auto_detect, self.estimate], self._shown, **quiet)

    def show(self, person: Demographics | None, auto_detect: bool) -> dict[Any, Any]:
        """Updates that show a newly detected person, or nobody; what is not detected stays unspecified."""
        values = _values(person) if auto_detect else _values(None)
        return {self.estimate: person, **dict(zip(self._shown, values))}

    def _toggle(self, auto_detect: bool, person: Demographics | None) -> list[Any]:
        return _values(person if auto_detect else None)


def _estimate() -> gr.JSON:
    """Holds a ``Demographics`` or None in the browser.

    Not a ``gr.State``, which changes at the server before the fields do in the browser: who pressed the button in
    between would be taken to have emptied them.
    """
    held = gr.JSON(None, visible=False)
    held.preprocess = lambda sent: None if sent is None else Demographics(**getattr(sent, "root", sent))
    to_browser = held.postprocess
    held.postprocess = lambda person: to_browser(None if person is None else asdict(person))
    return held


def stated(
    auto_detect: bool,
    use_age: bool,
    age: float | None,
    gender: str | None,
    race: str | None,
    ethnicity: str | None,
    estimate: Demographics | None = None,
) -> Demographics | None:
    """What the form says of the person; None where that is nothing and the network may judge.

    A field that still shows the estimate is left to the network, which knows it more finely
    than in words. A field that the visitor emptied is the average's; then nothing is left to
    the network, and the other fields are taken as they stand. So they are where the estimate is
    not the head network's own (``auto_detect`` False), touched or not.
    """
    said = Demographics(
        age=float(age) if use_age and age is not None else None,
        gender=gender if gender in ("female", "male") else None,
        race=race or None,
        ethnicity=(ethnicity or "").strip() or None,
        source="user",
        auto_detect=auto_detect,
    )
    if auto_detect and estimate is not None:
        shown = _rounded(estimate)
        if not estimate.auto_detect:
            untouched = replace(said, source=shown.source, auto_detect=False) == shown
            sure = {name: value for name, value in shown.certainty.items() if getattr(said, name) == getattr(shown, name)}
            return replace(said, source="estimated" if untouched else "user", auto_detect=False, certainty=sure)
        if any(getattr(said, name) is None and getattr(shown, name) is not None for name in NAMES):
            return replace(said, auto_detect=False)
        said = replace(said, **{n: None for n in NAMES if getattr(said, n) == getattr(shown, n)})
    return None if said == Demographics(source="user") else said


def _rounded(person: Demographics) -> Demographics:
    return replace(person, age=None if person.age is None else float(round(person.age)))


def _values(person: Demographics | None) -> list[Any]:
    person = _rounded(person or Demographics())
    known = person.age is not None
    age = gr.Slider(value=int(person.age) if known else 35, interactive=known)
    return [known, age, person.gender or "", person.race or "", person.ethnicity or "", as_bars(person)]
