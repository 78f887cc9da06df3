from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from batch.lock import hold_as_worker, locked
from batch.session import BusyError


def hold(folder: Path, ready, release) -> None:
    with locked(folder):
        ready.set()
        release.wait(60)


def test_the_second_run_is_told_who_is_in_the_way(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(BusyError, match=r"process \d+ on .*another output folder"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready, release = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path, ready, release))
    process.start()
    assert ready.wait(60)
    with pytest.raises(BusyError), locked(tmp_path):
        pass
    process.kill()
    process.join()
    with locked(tmp_path):
        pass


def test_workers_of_a_killed_run_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.lock.PATIENCE_S", 0.05)
    with hold_as_worker(tmp_path), pytest.raises(BusyError, match="still writing"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_launched_processes_share_the_folder_and_keep_others_out(tmp_path: Path) -> None:
    with locked(tmp_path, member=0), locked(tmp_path, member=1):
        with pytest.raises(BusyError), locked(tmp_path):
            pass
        with pytest.raises(BusyError), locked(tmp_path, member=1):
            pass
