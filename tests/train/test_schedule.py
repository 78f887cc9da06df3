"""Schedules end by steps or by the clock, and rates rise, then fall along a cosine."""

import numpy as np
import pytest

from train.schedule import Schedule


def test_what_ends_first_counts():
    assert Schedule.stepped(100, 1.0).share(25, 1e9) == 0.25
    clocked = Schedule.timed(100, 1.0, 0.1, minutes=2)
    assert clocked.share(25, 90) == 0.75 and clocked.share(90, 60) == 0.9


@pytest.mark.parametrize("schedule", [Schedule.stepped(9, 2.0, 0), Schedule.warmed(9, 2.0, 0), Schedule.timed(9, 2.0, 0.0)])
def test_a_run_without_warm_up_begins_at_the_full_rate(schedule):
    assert schedule.rate(0, 0.0) == 2.0


@pytest.mark.parametrize(
    "schedule", [Schedule.stepped(1000, 2.0, 50), Schedule.warmed(1000, 2.0, 50), Schedule.timed(1000, 2.0, 0.05, minutes=3)]
)
def test_the_rate_rises_in_a_twentieth_and_falls_in_the_rest(schedule):
    rates = [schedule.rate(step, step / 1000) for step in range(1001)]
    assert rates[0] <= 0.04 and 1.96 <= rates[49] <= 2.0 and rates[1000] == pytest.approx(0.04)
    assert np.diff(rates[:50]).min() > 0 > np.diff(rates[50:]).max()
