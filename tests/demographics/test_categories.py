"""What a user states reaches the head's mean."""

from __future__ import annotations

import pytest

from facerecon.demographics import RACES
from facerecon.head.demographics import UNKNOWN_ANCESTRY, describe
from facerecon.types import Demographics


def test_every_race_a_user_can_state_moves_the_head() -> None:
    weights = {race: tuple(describe([Demographics(race=race)])[2][0].tolist()) for race in RACES}
    average = {race for race, weight in weights.items() if weight == pytest.approx(UNKNOWN_ANCESTRY)}
    assert average == {"Mixed", "Unknown"}
    assert all(sum(weight) == pytest.approx(1) for weight in weights.values())


def test_ethnicity_moves_the_head() -> None:
    ancestry = describe([Demographics(race="Mixed", ethnicity="Korean"), Demographics(ethnicity="Klingon")])[2]
    assert ancestry[0].tolist() == pytest.approx([0, 1, 0])
    assert ancestry[1].tolist() == pytest.approx(UNKNOWN_ANCESTRY)
