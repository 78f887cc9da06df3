from __future__ import annotations

import pytest

from batch.options import RunOptions
from batch.session import Reporter


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
