"""Folders of visitors: apart, few, and short-lived."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from facerecon.types import FaceReconError
from facerecon.ui import limits, visitors


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    return tmp_path / "gradio"


def test_only_the_last_runs_are_kept() -> None:
    other = visitors.new_folder("two")
    runs = []
    for age in range(limits.RUNS_KEPT + 2, 0, -1):
        runs.append(visitors.new_folder("one"))
        os.utime(runs[-1], (time.time() - age,) * 2)
    assert [run.is_dir() for run in runs] == [False, False] + [True] * limits.RUNS_KEPT
    visitors.forget("one")
    assert not any(run.exists() for run in runs) and other.is_dir()


def test_a_session_cannot_lead_out(cache: Path) -> None:
    victim = cache.parent / "victim"
    victim.mkdir(parents=True)
    visitors.forget("../../../victim")
    visitors.forget("/" + str(victim))
    assert victim.is_dir() and visitors.new_folder("../../x").is_relative_to(limits.private_root())


def test_old_runs_are_swept() -> None:
    old, young = visitors.new_folder("one"), visitors.new_folder("two")
    os.utime(old, (time.time() - limits.KEPT_SECONDS - 5,) * 2)
    visitors.sweep()
    assert not old.parent.exists() and young.is_dir()


def test_the_oldest_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    old, young = visitors.new_folder("one"), visitors.new_folder("two")
    for age, folder in ((50, old), (10, young)):
        (folder / "file").write_bytes(b"x" * 600)
        os.utime(folder, (time.time() - age,) * 2)
    monkeypatch.setattr(visitors, "MAX_VISITORS_BYTES", 1000)
    visitors.sweep()
    assert not old.exists() and young.is_dir()


def test_what_ended_servers_left_is_forgotten_and_what_running_ones_hold_is_not() -> None:
    fcntl = pytest.importorskip("fcntl")
    root = limits.private_root() / "visitors"
    running, ended = root / "running" / "visitor" / "run", root / "ended" / "visitor" / "run"
    for run in (running, ended):
        run.mkdir(parents=True)
    with (root / "running" / visitors.LOCK).open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        visitors.forget_all()
    assert running.is_dir() and not (root / "ended").exists()
    ours = visitors.new_folder("one")
    visitors.forget_all()
    assert ours.is_dir() and not running.exists()
    with (ours.parents[1] / visitors.LOCK).open("a") as taken, pytest.raises(BlockingIOError):
        fcntl.flock(taken, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_old_runs_of_another_server_are_swept_too() -> None:
    old = limits.private_root() / "visitors" / "other" / "visitor" / "run"
    old.mkdir(parents=True)
    os.utime(old, (time.time() - limits.KEPT_SECONDS - 5,) * 2)
    visitors.sweep()
    assert not old.parent.exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_folder_that_vanishes_does_not_end_the_sweeping(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    monkeypatch.setattr(visitors, "SWEEP_SECONDS", 0)
    calls = []

    def vanishing() -> None:
        calls.append("vanishing")
        raise FileNotFoundError("gone")

    def other() -> None:
        calls.append("other")
        if len(calls) >= 4:
            raise SystemExit  # ends the thread

    visitors.sweep_forever(vanishing, other).join(10)
    assert calls == ["vanishing", "other"] * 2 and "gone" in caplog.text


def test_only_uploads_are_opened(cache: Path) -> None:
    upload, private = cache / "ab12" / "photo.png", visitors.new_folder("one") / "restored.png"
    for path in (upload, private):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    assert limits.check_uploaded(str(upload)) == upload.resolve()
    for bad in (private, cache / ".." / "x.png", "/etc/passwd", cache / "ab12" / ".." / ".." / "x"):
        with pytest.raises(FaceReconError, match="upload yourself"):
            limits.check_uploaded(str(bad))
