"""Checkpoints: which one a run goes on from, and that no run takes another's for its own."""

from __future__ import annotations

import pytest

from facerecon.types import FaceReconError
from train.checkpointing import load_checkpoint, save_checkpoint, whole_checkpoints


def test_a_run_goes_on_from_the_newest_or_the_one_that_was_named(tmp_path):
    assert load_checkpoint(tmp_path, None) is None and load_checkpoint(tmp_path, "latest") is None
    for step in (10, 20, 30):
        save_checkpoint(tmp_path, step, {})
    assert [path.name for path in whole_checkpoints(tmp_path)] == ["step_00000020", "step_00000030"]
    assert load_checkpoint(tmp_path, "latest")["step"] == 30
    assert load_checkpoint(tmp_path, str(tmp_path / "step_00000030"))["step"] == 30
    assert load_checkpoint(tmp_path / "elsewhere", str(tmp_path / "step_00000020"))["step"] == 20


@pytest.mark.parametrize("resume", [None, "step_00000020"])
def test_later_checkpoints_of_another_run_are_not_mixed_in(tmp_path, resume):
    """The new run's would be pruned as older ones, and the next ``latest`` would be the old run's."""
    for step in (20, 30):
        save_checkpoint(tmp_path, step, {})
    with pytest.raises(FaceReconError, match="earlier run: go on with --resume latest, or give another --output"):
        load_checkpoint(tmp_path, resume and str(tmp_path / resume))


def test_a_checkpoint_that_is_not_there_is_said(tmp_path):
    with pytest.raises(FaceReconError, match="no whole checkpoint in"):
        load_checkpoint(tmp_path, str(tmp_path / "step_00000005"))
