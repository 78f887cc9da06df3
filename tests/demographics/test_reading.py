"""What people type for age, gender and race is read or refused in one sentence."""

from __future__ import annotations

import pytest

from facerecon.demographics import check_demographics, read_age, read_gender, read_race
from facerecon.demographics.categories import FAIRFACE_AGES
from facerecon.types import Demographics, FaceReconError


@pytest.mark.parametrize("age", [0, 42.5, 100, "7"])
def test_good_ages(age):
    assert read_age(age) == float(age)


@pytest.mark.parametrize("age", [-1, 101, float("nan"), float("inf"), "old", ""])
def test_bad_ages_are_refused(age):
    with pytest.raises(FaceReconError, match="from 0 to 100"):
        read_age(age)


def test_spelling_is_mended():
    person = check_demographics(Demographics(30, " Female ", "hispanic/latino", "  ", "user"))
    assert person == Demographics(30.0, "female", "Hispanic/Latino", None, "user")
    assert read_race("") is read_gender(None) is read_age(None) is None


@pytest.mark.parametrize("person, says", [(Demographics(race="Martian"), "Pacific Islander"), (Demographics(gender="x"), "neither")])
def test_what_is_no_category_is_refused(person, says):
    with pytest.raises(FaceReconError, match=says):
        check_demographics(person)


def test_fairface_ages_cover_life_without_gaps():
    bins = list(FAIRFACE_AGES.values())
    assert bins[0][0] == 0 and bins[-1][1] == 100
    assert all(a[1] == b[0] for a, b in zip(bins, bins[1:]))
