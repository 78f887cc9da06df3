from __future__ import annotations

from train import timing


def test_the_median_leaves_the_first_call_out(monkeypatch):
    now, slow = [0.0], iter((9.0, 0.002, 0.004, 0.003))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def work():
        now[0] += next(slow)

    assert round(timing.milliseconds(work, repeats=4), 6) == 3.0
