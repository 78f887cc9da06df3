"""What is stated becomes numbers; what is not stated is zero."""

import numpy as np

from facerecon.restoration.conditioning import CONDITION_SIZE, TOLD_APART, condition_vector
from facerecon.types import Demographics


def test_each_statement_has_its_place_and_the_unstated_is_zero():
    assert not condition_vector(None).any() and not condition_vector(Demographics()).any()
    young, old = (condition_vector(Demographics(age=age)) for age in (5, 80))
    assert young[0] == old[0] == 1 and young[1] < 0 < old[1] and not old[2:].any()
    places = [np.flatnonzero(condition_vector(Demographics(race=race))).tolist() for race in TOLD_APART]
    places += [np.flatnonzero(condition_vector(Demographics(gender=gender))).tolist() for gender in ("female", "male")]
    assert sorted(places) == [[i] for i in range(2, CONDITION_SIZE)]


def test_a_race_that_no_label_teaches_says_nothing():
    assert not condition_vector(Demographics(race="Mixed")).any()
