"""What a run told can be read again, and an interrupted run does not tell twice."""

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from train.progress import RunLog


def curve(folder):
    events = EventAccumulator(str(folder / "events"))
    events.Reload()
    return {e.step: e.value for e in events.Scalars("gain")}, events


def test_lines_curves_and_pictures(tmp_path, capsys):
    log = RunLog(tmp_path)
    log.tell(20, "of 100", {"gain": 0.51, "loss": 0.2})
    log.show(20, "samples", np.zeros((8, 12, 3), np.uint8))
    log.close()
    assert capsys.readouterr().out == "20 of 100 gain 0.51 loss 0.2\n"
    values, events = curve(tmp_path)
    assert values == {20: pytest.approx(0.51)}
    (picture,) = events.Images("samples")
    assert (picture.height, picture.width) == (8, 12)


def test_a_resumed_run_takes_back_what_was_told_after_its_checkpoint(tmp_path):
    for first, told in ((0, (10, 20, 30)), (20, (20, 40))):
        log = RunLog(tmp_path, first)
        for step in told:
            log.tell(step, "", {"gain": float(first)})
        log.close()
    assert curve(tmp_path)[0] == {10: 0.0, 20: 20.0, 40: 20.0}


def test_other_processes_are_silent(tmp_path, capsys):
    log = RunLog(tmp_path, speaks=False)
    log.tell(1, "of 2", {"gain": 1.0})
    log.close()
    assert capsys.readouterr().out == "" and not list(tmp_path.iterdir())
