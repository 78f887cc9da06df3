"""Steps and their seconds."""

from __future__ import annotations

import pytest

from facerecon.steps import Steps


def test_a_listener_hears_begin_and_end() -> None:
    heard: list[tuple[str, bool]] = []
    steps = Steps(lambda name, seconds: heard.append((name, seconds is not None)))
    with steps.step("find"):
        pass
    with pytest.raises(ValueError), steps.step("restore"):
        raise ValueError
    assert heard == [("find", False), ("find", True), ("restore", False)]
    assert list(steps.seconds) == ["find"]


def test_seconds_add_up() -> None:
    steps = Steps(seconds={"paste": 2.0})
    with steps.step("paste"):
        pass
    assert 2.0 < steps.seconds["paste"] < 2.5
