"""Our words and those of the datasets say the same, there and back."""

from __future__ import annotations

import numpy as np
import pytest

from facerecon.demographics import RACES
from facerecon.demographics.labels import (
    GENDER_SYSTEMS,
    RACE_SYSTEMS,
    deepface_from_fairface,
    fairface_to_utkface,
    gender_from_ours,
    gender_to_ours,
    probabilities_to_ours,
    race_from_ours,
    race_to_ours,
)
from facerecon.types import FaceReconError


@pytest.mark.parametrize("system", RACE_SYSTEMS)
def test_every_label_comes_back(system: str) -> None:
    for label in RACE_SYSTEMS[system]:
        ours = race_to_ours(label, system)
        assert ours in RACES and label in race_from_ours(ours, system)


def test_what_a_system_cannot_say() -> None:
    assert race_from_ours("Asian", "fairface") == ("East Asian", "Southeast Asian")
    assert race_from_ours("Pacific Islander", "fairface") == ()
    assert race_from_ours("Hispanic/Latino", "utkface") == ("Others",)
    assert race_from_ours(None, "utkface") == ()


def test_genders_there_and_back() -> None:
    assert gender_to_ours("-1", "celeba") == "female" and gender_to_ours("0", "utkface") == "male"
    for system in GENDER_SYSTEMS:
        assert [gender_to_ours(gender_from_ours(g, system), system) for g in ("female", "male")] == ["female", "male"]


def test_probabilities_are_summed_under_our_words() -> None:
    seven = dict(zip(RACE_SYSTEMS["fairface"], (0.1, 0.1, 0.2, 0.3, 0.1, 0.15, 0.05)))
    ours = probabilities_to_ours(seven, "fairface")
    assert ours["Asian"] == pytest.approx(0.5) and sum(ours.values()) == pytest.approx(1)
    six = deepface_from_fairface(seven)
    assert list(six) == list(RACE_SYSTEMS["deepface"]) and six["latino hispanic"] == pytest.approx(0.05)
    assert six["asian"] == pytest.approx(0.5)


def test_both_tables_of_utkface_agree() -> None:
    nested = fairface_to_utkface()
    assert nested.shape == (7, 5)
    utkface = list(RACE_SYSTEMS["utkface"])
    for row, label in zip(nested, RACE_SYSTEMS["fairface"]):
        ours = race_to_ours(label, "fairface")
        assert race_from_ours(ours, "utkface") == (utkface[int(np.argmax(row))],)


def test_unknown_words_are_one_sentence() -> None:
    with pytest.raises(FaceReconError, match="no race called 'green'"):
        race_to_ours("green", "fairface")
    with pytest.raises(FaceReconError, match="no system"):
        race_to_ours("white", "imdb")
    with pytest.raises(FaceReconError, match="is none of"):
        race_from_ours("Martian", "fairface")
