from __future__ import annotations

from facerecon.demographics import RACES
from facerecon.head.demographics import UNKNOWN_ANCESTRY, ancestry_of_race


def test_every_race_a_user_can_state_moves_the_head() -> None:
    weights = {race: ancestry_of_race(race) for race in RACES}
    average = {race for race, weight in weights.items() if weight == UNKNOWN_ANCESTRY}
    assert average == {"Mixed", "Unknown"}
    assert all(abs(sum(weight) - 1) < 1e-6 for weight in weights.values())
