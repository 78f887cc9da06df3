"""Our words and those of the datasets say the same."""

from __future__ import annotations

import numpy as np
import pytest

from facerecon.demographics import RACES
from facerecon.demographics.labels import (
    GENDER_SYSTEMS,
    RACE_SYSTEMS,
    deepface_from_fairface,
    fairface_to_utkface,
    gender_to_ours,
    probabilities_to_ours,
    race_to_ours,
)
from facerecon.types import FaceReconError


@pytest.mark.parametrize("system", RACE_SYSTEMS)
def test_every_label_has_a_word_of_ours(system: str) -> None:
    for label in RACE_SYSTEMS[system]:
        assert race_to_ours(label, system) in RACES


def test_every_system_knows_both_genders() -> None:
    assert gender_to_ours("-1", "celeba") == "female" and gender_to_ours("0", "utkface") == "male"
    for system, labels in GENDER_SYSTEMS.items():
        assert sorted(gender_to_ours(label, system) for label in labels) == ["female", "male"]


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
        assert race_to_ours(utkface[int(np.argmax(row))], "utkface") in (ours, "Unknown")


def test_unknown_words_are_one_sentence() -> None:
    with pytest.raises(FaceReconError, match="no race called 'green'"):
        race_to_ours("green", "fairface")
    with pytest.raises(FaceReconError, match="no system"):
        race_to_ours("white", "imdb")
