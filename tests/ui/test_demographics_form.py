"""What the form's fields mean."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr

from facerecon.types import Demographics
from facerecon.ui.demographics_form import DemographicsForm, stated

SEEN = Demographics(34.2, "female", "Caucasian", source="estimated", certainty={"age": 5.0, "gender": 0.8, "race": 0.9})


def test_untouched_values_are_left_to_the_network() -> None:
    assert stated(True, True, 34, "female", "Caucasian", "", SEEN) is None
    assert stated(True, False, 40, "", "", " ") is None


def test_a_changed_value_is_stated() -> None:
    assert stated(True, True, 71, "female", "Caucasian", "", SEEN) == Demographics(71.0, source="user")
    assert stated(True, True, 40, "male", "", "Sami") == Demographics(40.0, "male", None, "Sami", "user")


def test_an_emptied_value_is_the_average() -> None:
    said = stated(True, True, 34, "", "Caucasian", "", SEEN)
    assert said == Demographics(34.0, None, "Caucasian", source="user", auto_detect=False)


def test_another_networks_estimate_is_stated_for_it() -> None:
    other = replace(SEEN, auto_detect=False)
    assert stated(True, True, 34, "female", "Caucasian", "", other) == replace(other, age=34.0)
    said = stated(True, True, 34, "male", "Caucasian", "", other)
    assert said == Demographics(34.0, "male", "Caucasian", source="user", auto_detect=False)


def test_certainty_stays_with_what_was_not_touched() -> None:
    other = replace(SEEN, auto_detect=False)
    assert stated(True, True, 34, "female", "Caucasian", "", other).certainty == SEEN.certainty
    assert stated(True, True, 34, "male", "Caucasian", "", other).certainty == {"age": 5.0, "race": 0.9}
    assert stated(True, True, 71, "female", "Caucasian", "", SEEN).certainty == {}  # the network says it again


def test_the_form_shows_how_sure_the_estimate_is() -> None:
    with gr.Blocks():
        form = DemographicsForm()
    shown = form.show(SEEN, True)
    assert "Female, 80 % sure" in shown[form.sure] and set(form.outputs) == set(shown)
    assert form.show(SEEN, False)[form.sure] == form.show(None, True)[form.sure] == ""


def test_nothing_is_detected_when_that_is_off() -> None:
    assert stated(False, False, 40, "", "", "", SEEN) == Demographics(source="user", auto_detect=False)
