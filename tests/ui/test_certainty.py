"""How sure an estimate is, as a visitor reads it."""

from __future__ import annotations

from dataclasses import replace

from facerecon.types import Demographics
from facerecon.ui import statistics
from facerecon.ui.certainty import as_bars, in_words

SEEN = Demographics(
    61.4, "male", "Caucasian", source="estimated", certainty={"age": 7.6, "gender": 0.791, "race": 0.9996}
)


def test_plain_words() -> None:
    assert in_words(SEEN, "gender") == "79 % sure" and in_words(SEEN, "race") == "99 % sure"
    assert in_words(SEEN, "age") == "give or take 8 years"
    assert in_words(replace(SEEN, certainty={"age": 0.6}), "age") == "give or take 1 year"
    assert in_words(Demographics(gender="male"), "gender") == ""


def test_a_bar_is_as_long_as_the_estimate_is_sure() -> None:
    bars = as_bars(SEEN)
    assert bars.count("<i ") == 3 and "width: 79%" in bars and "Male, 79 % sure" in bars
    assert "width: 62%" in bars  # of the age: 7.6 years of the 20 that would say nothing
    assert as_bars(None) == as_bars(Demographics(30.0, "male", source="user")) == ""


def test_figures_say_how_sure_and_who_said_it() -> None:
    shown = statistics.person(SEEN)
    assert shown["Gender"] == "male, 79 % sure" and shown["Person"] == "estimated from the photo"
    partly = replace(SEEN, gender="female", source="user", certainty={"age": 7.6})
    shown = statistics.person(partly)
    assert shown["Gender"] == "female" and "give or take" in shown["Age"]
    assert shown["Person"] == "as you said, the rest estimated"


def test_progress_is_said_to_screen_readers_and_stays_in_its_bounds() -> None:
    bar = statistics.progress_bar("Drawing <it>", 0.426)
    assert 'role="progressbar"' in bar and 'aria-valuenow="43"' in bar and "width: 43%" in bar and "<it>" not in bar
    assert 'aria-valuenow="100"' in statistics.progress_bar("", 1.2)
