from __future__ import annotations

import io

import pytest
from rich.console import Console

from batch import session
from batch.options import RunOptions
from batch.session import Reporter, follow


def test_failures_of_earlier_runs_make_this_one_no_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("batch.session.time.perf_counter", lambda: now)
    reporter = Reporter(RunOptions(quiet=True), 30)
    for _ in range(10):
        reporter.item("old", "It was no picture.", earlier=True)
    now = 2.0
    assert reporter.per_second == 0
    reporter.item("new", "It is no picture.")
    reporter.item("newer")
    assert reporter.per_second == 1.0 and reporter.failed == 11


@pytest.mark.parametrize(("options", "shown"), [(RunOptions(), True), (RunOptions(quiet=True), False), (RunOptions(json=True), False)])
def test_what_is_followed_comes_one_by_one_with_a_bar_for_people_alone(monkeypatch, options: RunOptions, shown: bool) -> None:
    said = io.StringIO()
    monkeypatch.setattr(session, "log", Console(file=said, force_terminal=True))
    assert list(follow(options, ["a", "b"], "the person")) == ["a", "b"]
    assert ("the person" in said.getvalue()) == shown
