"""Results as WebDataset tars."""

from __future__ import annotations

import json
import re
import tarfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
from PIL import Image as PillowImage

from batch import tars
from batch.inputs import find_photos
from batch.jobs import run_photos
from batch.manifest import Record
from batch.options import EngineOptions
from batch.photo_task import RESTORATION, PhotoTask, Settings
from batch.place import Place
from facerecon.pipeline import FaceReconstructor
from tests.fakes import FakeDetector, FakeRestorer, make_photo

LIGHT = Settings(stages=(RESTORATION,))
SAMPLE = re.compile(r"^((?:.*/|)[^.]+)[.]([^/]*)$")  # how WebDataset tells a member's key from its field


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "in"
    (folder / "album").mkdir(parents=True)
    for seed, name in enumerate(("a.png", "b.v2.png", "album/a.png")):
        PillowImage.fromarray(make_photo(60, 80, seed)).save(folder / name)
    (folder / "broken.jpg").write_text("no picture")
    return folder


def run(source: Path, output: str, settings: Settings = LIGHT, packed: bool = True) -> dict[str, tuple[str, bool]]:
    records = {}

    def report(record: Record, earlier: bool) -> None:
        records[record.input] = (record.status, earlier)

    task = PhotoTask(settings, make=lambda device, settings: FaceReconstructor(FakeDetector(), FakeRestorer()))
    place, engine = Place(output, packed), EngineOptions(num_workers=0, batch_size=3)
    run_photos(task, find_photos(source, "out", recursive=True), place, report, engine=engine)
    return records


def samples(folder: str) -> dict[str, dict[str, bytes]]:
    """Fields by key, of all tars of a place, as WebDataset groups them."""
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    for file in fsspec.open_files(f"{folder}/shards/*.tar"):
        with file as handle, tarfile.open(fileobj=handle) as archive:
            for entry in archive:
                key, field = SAMPLE.match(entry.name).groups()
                assert field not in found[key]
                found[key][field] = archive.extractfile(entry).read()
    return found


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_tars_hold_what_files_would_and_a_second_run_does_nothing(source: Path, tmp_path: Path, kind: str) -> None:
    there = str(tmp_path / "out") if kind == "folder" else f"memory://{tmp_path.name}"
    assert set(run(source, there).values()) == {("done", False), ("failed", False)}
    run(source, str(tmp_path / "loose"), packed=False)
    found, key = samples(there), tars.key("b.v2")
    assert set(found) == {"a", "album/a", key} and set(found["a"]) == {"restored.png", "faces_00_restored.png", "json"}
    assert found["album/a"]["restored.png"] == (tmp_path / "loose/restored/album/a.png").read_bytes()
    assert found[key]["faces_00_restored.png"] == (tmp_path / "loose/faces/b.v2_00_restored.png").read_bytes()
    assert json.loads(found[key]["json"])["input"] == "b.v2.png"
    assert all(earlier for _, earlier in run(source, there).values())
    if kind == "folder":
        assert {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")} == {
            "manifest.jsonl", "restoration_stats.json", "shards"
        }  # fmt: skip


def test_tars_of_old_results_and_of_killed_runs_go(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(source, str(out))
    before = set((out / "shards").iterdir())
    (out / "shards" / ".part-0.tar").write_bytes(b"half")
    (out / "shards" / "1.tar").write_bytes(b"whole, but killed before its records were written")
    PillowImage.fromarray(make_photo(60, 80, 9)).save(source / "a.png")
    assert run(source, str(out))["a.png"] == ("done", False)
    after = set((out / "shards").iterdir())
    assert before & after and len(after) == len(before) + 1  # the others of a's old tar still count
    run(source, str(out), replace(LIGHT, fidelity=0.1))
    assert not after & set((out / "shards").iterdir()) and len(samples(str(out))) == 3


def test_a_store_that_refuses_a_tar_fails_its_photos(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("read-only store")

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.put_file", refuse)
    monkeypatch.setattr("batch.place.Place.save", lambda *_: None)
    assert {status for status, _ in run(source, f"memory://{tmp_path.name}").values()} == {"failed"}
