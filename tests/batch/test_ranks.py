"""``accelerate launch -m batch``: processes that share the photos of one folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from batch.jobs import run_photos
from batch.manifest import Manifest, Record
from batch.photo_task import RESTORATION, PhotoTask, Settings
from batch.place import MANIFEST, Place, need_one_machine
from batch.ranks import Ranks
from facerecon.types import FaceReconError
from tests.batch.test_kill import tree
from tests.batch.tiny_run import make_reconstructor
from tests.fakes import make_photo

ROOT = Path(__file__).parents[2]


def launch(processes: int, source: Path, output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The command line with stand-ins for the networks, under Accelerate's launcher."""
    launcher = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", str(processes)] if processes else []
    command = [sys.executable, *launcher, "-m", "tests.batch.tiny_run", "restore", str(source), "-o", str(output), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)


def test_two_launched_processes_leave_what_one_leaves(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    source = tmp_path / "in"
    source.mkdir()
    for seed in range(7):
        PillowImage.fromarray(make_photo(60, 80, seed)).save(source / f"p{seed}.png")
    options = ("--batch-size", "2", "--num-workers", "0", "--json")
    shared = launch(2, source, tmp_path / "two", *options)
    assert shared.returncode == 0, shared.stderr
    events = [json.loads(line) for line in shared.stdout.splitlines() if line.startswith('{"event"')]
    assert [e["event"] for e in events if e["event"] != "item"] == ["start", "end"]  # one of them speaks
    assert launch(0, source, tmp_path / "one", *options).returncode == 0
    made, expected = ({k: v for k, v in tree(tmp_path / f).items() if k != "manifest.jsonl"} for f in ("two", "one"))
    assert made == expected
    names = [json.loads(line).get("name") for line in (tmp_path / "two/manifest.jsonl").read_text().split("\n") if line]
    assert sorted(filter(None, names)) == [f"p{seed}" for seed in range(7)]
    again = launch(0, source, tmp_path / "two", *options)
    assert again.returncode == 0 and '"skipped": 7' in again.stdout.splitlines()[-1]


def test_who_comes_late_leaves_the_manifest_of_a_url_to_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    place, waited = Place(f"file://{tmp_path}/out"), []  # where the first process has put nothing yet
    Manifest(place.home / MANIFEST, shared=True).append([Record("a", "a.png", "done", (RESTORATION,), "its bytes", "settings")])
    monkeypatch.setattr(Ranks, "wait", lambda ranks: waited.append(ranks))
    task = PhotoTask(Settings(stages=(RESTORATION,)), make=make_reconstructor)
    run_photos(task, [], place, lambda *_: None, ranks=Ranks(rank=1, world=2))
    assert waited
    assert [record.input for record in Manifest(place.home / MANIFEST).newest()] == ["a.png"]
    assert (tmp_path / "out" / MANIFEST).is_file()


def test_shares_are_disjoint_and_whole() -> None:
    shares = [list(Ranks(rank, 3).share(range(10))) for rank in range(3)]  # type: ignore[arg-type]
    assert sorted(sum(shares, [])) == list(range(10))
    assert [Ranks(rank, 3).share_of(10) for rank in range(3)] == [len(share) for share in shares] == [4, 3, 3]


def test_a_process_alone_is_no_member(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert Ranks.of_this_process() == Ranks() and Ranks().member is None
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert Ranks.of_this_process().member == 1 and Ranks.of_this_process().device("cpu") == "cpu"


def test_several_machines_need_a_folder_that_all_of_them_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in (("RANK", "3"), ("WORLD_SIZE", "4"), ("LOCAL_RANK", "1"), ("LOCAL_WORLD_SIZE", "2")):
        monkeypatch.setenv(key, value)
    ranks = Ranks.of_this_process()
    assert ranks.several_machines
    with pytest.raises(FaceReconError, match="not a URL"):
        need_one_machine(Place("s3://bucket/out"), ranks)
    need_one_machine(Place(str(tmp_path)), ranks)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    need_one_machine(Place("s3://bucket/out"), Ranks.of_this_process())
    with pytest.raises(FaceReconError, match="not a URL"):
        run_photos(None, [], Place("memory://out"), lambda *_: None, ranks=ranks)  # type: ignore[arg-type]
