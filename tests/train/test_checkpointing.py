"""Checkpoints are whole or absent, the newest ones stay, and the schedule's ends are where they belong."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from facerecon.types import FaceReconError
from train.checkpointing import cosine_lr, load_checkpoint, random_state, save_checkpoint, whole_checkpoints


def names(folder):
    return [path.name for path in whole_checkpoints(folder)]


def test_the_rate_warms_up_and_falls_along_a_cosine():
    rates = [cosine_lr(step, 1000, 2.0, warmup=100, floor=0.02) for step in range(1001)]
    assert rates[0] == pytest.approx(0.02) and rates[99] == rates[100] == 2.0
    assert rates[550] == pytest.approx(2.0 * 1.02 / 2) and rates[1000] == pytest.approx(0.04)
    assert np.diff(rates[:100]).min() > 0 > np.diff(rates[100:]).max()
    assert cosine_lr(5000, 1000, 2.0) == pytest.approx(0.04)


def test_only_the_newest_stay_and_half_written_ones_do_not_count(tmp_path):
    for step in (10, 20, 30):
        save_checkpoint(tmp_path, step, {"value": step})
    (tmp_path / "step_00000040").mkdir()
    (tmp_path / ".step_00000050.1").mkdir()
    assert names(tmp_path) == ["step_00000020", "step_00000030"]
    assert load_checkpoint(tmp_path, "latest")["value"] == 30
    assert load_checkpoint(tmp_path / "elsewhere", str(tmp_path / "step_00000020"))["step"] == 20
    with pytest.raises(FaceReconError, match="no whole checkpoint in .*step_00000040"):
        load_checkpoint(tmp_path, str(tmp_path / "step_00000040"))


@pytest.mark.parametrize("resume", [None, "step_00000020"])
def test_later_checkpoints_of_another_run_are_not_mixed_in(tmp_path, resume):
    """The new run's would be pruned as older ones, and the next ``latest`` would be the old run's."""
    for step in (20, 30):
        save_checkpoint(tmp_path, step, {})
    with pytest.raises(FaceReconError, match="earlier run: go on with --resume latest, or give another --output"):
        load_checkpoint(tmp_path, resume and str(tmp_path / resume))


def test_nothing_to_resume_is_a_new_run(tmp_path):
    assert load_checkpoint(tmp_path, "latest") is None and load_checkpoint(tmp_path, None) is None


def test_random_numbers_go_on_where_they_were(tmp_path):
    def draw():
        return torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random(), nn.Linear(2, 1).weight.tolist()

    save_checkpoint(tmp_path, 1, {})
    first = draw()
    assert draw() != first
    load_checkpoint(tmp_path, "latest")
    assert draw() == first and set(random_state()) >= {"torch", "numpy", "python"}
