"""Stated race and ethnicity become ancestry weights, unknown words are told."""

from __future__ import annotations

import numpy as np
import pytest

from facerecon.demographics import RACES, ancestry_weights, notes, unused_words
from facerecon.demographics.categories import FAIRFACE_RACES, UTKFACE_RACES
from facerecon.types import Demographics


@pytest.mark.parametrize("race", RACES)
def test_every_race_but_mixed_and_unknown_has_weights(race):
    weights = ancestry_weights(race)
    if race in ("Mixed", "Unknown"):
        assert weights is None
    else:
        assert weights.shape == (3,) and weights.sum() == pytest.approx(1) and weights.min() >= 0


def test_the_leading_ancestry_is_the_named_one():
    assert [ancestry_weights(r).argmax() for r in ("African", "Asian", "Caucasian", "Indian")] == [0, 1, 2, 2]
    assert ancestry_weights("East Asian").argmax() == 1 and ancestry_weights("White").argmax() == 2


def test_every_label_of_the_datasets_is_understood():
    for label, race in FAIRFACE_RACES.items():
        assert race in RACES and ancestry_weights(label) is not None
    assert set(UTKFACE_RACES) <= set(RACES)
    assert ancestry_weights("Latino_Hispanic") == pytest.approx(ancestry_weights("Hispanic/Latino"))


def test_ethnicity_stands_before_race_and_mixtures_are_averaged():
    assert ancestry_weights("Caucasian", "Nigerian") == pytest.approx([1, 0, 0])
    assert ancestry_weights("Mixed", "half Japanese, half Irish") == pytest.approx([0, 0.5, 0.5])
    assert ancestry_weights(None, "Māori") == pytest.approx(ancestry_weights("Pacific Islander"))
    assert ancestry_weights("Asian", "Klingon") == pytest.approx([0, 1, 0])


def test_longest_name_wins():
    assert ancestry_weights(None, "African American") == pytest.approx([0.8, 0, 0.2])
    assert ancestry_weights(None, "American Indian")[1] > 0.5
    assert ancestry_weights(None, "West Indian")[0] > 0.5
    assert ancestry_weights(None, "Turks")[2] > 0.5


def test_unknown_words_are_accepted_and_said_unused():
    assert ancestry_weights(None, "Klingon") is None
    assert ancestry_weights(None, "東京") is None and unused_words("東京") == ["東京"]
    (note,) = notes(Demographics(ethnicity="Vulcan and Korean of Klingon descent"))
    assert "'vulcan', 'klingon'" in note and "korean" not in note
    assert "words 'vulcan', 'klingon'" in note and "word 'vulcan'" in notes(Demographics(ethnicity="Vulcan"))[0]
    assert notes(Demographics(ethnicity="of Korean descent")) == notes(Demographics()) == []


def test_weights_are_the_callers_own():
    first = ancestry_weights("Asian")
    first[:] = 9
    assert np.allclose(ancestry_weights("Asian"), [0, 1, 0])
