"""What a user states reaches the head's mean."""

from __future__ import annotations

import pytest

from facerecon.demographics import RACES, read_age, read_gender, read_race
from facerecon.head.demographics import UNKNOWN_ANCESTRY, describe
from facerecon.types import Demographics, FaceReconError


def test_every_race_a_user_can_state_moves_the_head() -> None:
    weights = {race: tuple(describe([Demographics(race=race)])[2][0].tolist()) for race in RACES}
    average = {race for race, weight in weights.items() if weight == pytest.approx(UNKNOWN_ANCESTRY)}
    assert average == {"Mixed", "Unknown"}
    assert all(sum(weight) == pytest.approx(1) for weight in weights.values())


def test_ethnicity_moves_the_head() -> None:
    ancestry = describe([Demographics(race="Mixed", ethnicity="Korean"), Demographics(ethnicity="Klingon")])[2]
    assert ancestry[0].tolist() == pytest.approx([0, 1, 0])
    assert ancestry[1].tolist() == pytest.approx(UNKNOWN_ANCESTRY)


@pytest.mark.parametrize("read", [read_race, read_gender])
@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_what_is_left_blank_is_unknown(read, nothing) -> None:
    assert read(nothing) is None


def test_words_are_read_in_any_case_and_wrong_ones_are_named() -> None:
    assert (read_race(" hispanic/LATINO "), read_gender(" Female"), read_age("7.5"), read_age(None)) == ("Hispanic/Latino", "female", 7.5, None)
    assert (read_age(0), read_age(100)) == (0.0, 100.0)
    for read, wrong in ((read_race, "Klingon"), (read_gender, "both"), (read_age, "old"), (read_age, -1), (read_age, 101), (read_age, "nan")):
        with pytest.raises(FaceReconError, match=str(wrong)):
            read(wrong)
