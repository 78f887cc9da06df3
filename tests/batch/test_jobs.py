from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from batch.batching import make_batches
from batch.inputs import find_photos
from batch.jobs import run_photos
from batch.manifest import Record
from batch.options import ResumeOptions
from batch.photo_task import RECONSTRUCTION, RESTORATION, PhotoTask, Settings
from batch.place import Place
from batch.worker import DiskFullError
from facerecon.head.model import HeadModel
from facerecon.pipeline import FaceReconstructor
from facerecon.types import Demographics, FaceReconError
from tests.fakes import FakeDetector, FakeReconstructor, FakeRestorer, make_photo

LIGHT = Settings(stages=(RESTORATION,))


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.from_pretrained()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for seed, name in enumerate("abc"):
        PillowImage.fromarray(make_photo(60, 80, seed)).save(folder / f"{name}.png")
    return folder


class Run:
    """Runs a folder and remembers what was reported."""

    def __init__(self, source: Path, head: HeadModel | None = None) -> None:
        self.source, self.output = source, source.parent / "out"
        reconstructor = None if head is None else FakeReconstructor(head)
        self.pipeline = FaceReconstructor(FakeDetector(), FakeRestorer(), reconstructor, head)
        self.records: list[Record] = []

    def __call__(self, settings: Settings = LIGHT, **options):
        self.records = []
        self.pipeline.restorer.calls.clear()
        photos = find_photos(self.source, self.output)
        report = lambda record, earlier: self.records.append(record)  # noqa: E731
        place, resume = Place(str(self.output)), ResumeOptions(**options)
        return run_photos(self.task(settings), photos, place, report, resume)

    def task(self, settings: Settings) -> PhotoTask:
        return PhotoTask(settings, make=lambda device, settings: self.pipeline)

    def files(self) -> set[str]:
        found = (p.relative_to(self.output).as_posix() for p in self.output.rglob("*") if p.is_file())
        return {name for name in found if not name.startswith(".lock")}

    def statistics(self, stage: str) -> dict:
        return json.loads((self.output / f"{stage}_stats.json").read_text())


def test_a_run_leaves_the_promised_files(source: Path, head: HeadModel) -> None:
    run = Run(source, head)
    summary = run(Settings(pictures=("overlay",), demographics=Demographics(age=70, source="user")))
    assert (summary.done, summary.skipped, summary.failed) == (3, 0, 0)
    kinds = ("restored/{}.png", "faces/{}_00_restored.png", "heads/{}_00.glb", "renders/{}_00_overlay.png", "parameters/{}_00.json")
    expected = {kind.format(name) for name in "abc" for kind in kinds}
    assert run.files() == expected | {"manifest.jsonl", "restoration_stats.json", "reconstruction_stats.json"}
    assert json.loads((run.output / "parameters/a_00.json").read_text())["demographics"]["age"] == 70
    assert [r["name"] for r in run.statistics("reconstruction")["results"]] == ["a", "b", "c"]


def test_a_second_run_does_nothing(source: Path) -> None:
    run = Run(source)
    run()
    before = (run.output / "manifest.jsonl").read_bytes(), (run.output / "restoration_stats.json").read_bytes()
    summary = run()
    assert (summary.done, summary.skipped) == (0, 3) and run.pipeline.restorer.calls == []
    assert before == ((run.output / "manifest.jsonl").read_bytes(), (run.output / "restoration_stats.json").read_bytes())
    assert run(force=True).done == 3


def test_what_changed_is_done_again(source: Path) -> None:
    run = Run(source)
    run(replace(LIGHT, comparison=True))
    PillowImage.fromarray(make_photo(60, 80, 9)).save(source / "b.png")
    (run.output / "restored/c.png").unlink()
    assert run(replace(LIGHT, comparison=True)).done == 2
    assert run().done == 3  # other settings
    assert not any(name.startswith("comparisons") for name in run.files())


def test_newer_weights_do_everything_again(source: Path) -> None:
    run = Run(source)
    run()
    run.pipeline.restorer.version = "fake-2"
    assert run().done == 3


def test_a_failure_costs_one_photo(source: Path) -> None:
    (source / "b.png").write_text("no picture")
    PillowImage.fromarray(np.zeros((50, 50, 3), np.uint8)).save(source / "black.png")
    run = Run(source)
    summary = run()
    assert (summary.done, summary.failed) == (2, 2)
    errors = {record.input: record.error for record in run.records if record.status == "failed"}
    assert set(errors) == {"b.png", "black.png"} and errors["black.png"] == "No face was found in the photo."
    assert all(error.endswith(".") and "\n" not in error for error in errors.values())
    assert run.statistics("restoration")["failed"] == 2

    summary = run()
    assert (summary.done, summary.skipped, summary.failed) == (0, 2, 2)
    PillowImage.fromarray(make_photo(60, 80)).save(source / "b.png")
    assert run(retry_failed=True).failed == 1
    assert run.statistics("restoration")["done"] == 3


def test_a_file_that_vanishes_is_reported(source: Path) -> None:
    run = Run(source)
    photos = list(find_photos(source, run.output))
    (source / "b.png").unlink()
    report = lambda record, _: run.records.append(record)  # noqa: E731
    summary = run_photos(run.task(LIGHT), photos, Place(str(run.output)), report)
    assert summary.failed == 1 and "does not exist" in run.records[1].error


def test_a_link_out_of_the_folder_is_not_followed(source: Path) -> None:
    elsewhere = source.parent / "elsewhere.png"
    PillowImage.fromarray(make_photo(60, 80)).save(elsewhere)
    (source / "d.png").symlink_to(elsewhere)
    run = Run(source)
    assert run().failed == 1 and "out of the input folder" in run.records[3].error


def test_faults_of_ours_cost_one_photo(source: Path) -> None:
    run = Run(source)
    run.pipeline.restorer.restore = lambda crops, fidelity: 1 / 0
    assert run().failed == 3
    assert run.records[0].error == "An unexpected ZeroDivisionError came up: division by zero."


def test_a_full_disk_stops_the_run_with_one_sentence(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(source)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(DiskFullError, match="^The disk is full"):
            run()
    assert run.files() <= {"manifest.jsonl"}
    assert run().done == 3


def test_restoring_first_and_rebuilding_later_keeps_both(source: Path, head: HeadModel) -> None:
    run = Run(source, head)
    run()
    run(Settings(stages=(RECONSTRUCTION,), pictures=()))
    assert {"restored/a.png", "heads/a_00.glb", "restoration_stats.json", "reconstruction_stats.json"} <= run.files()
    assert run().skipped == 3


def test_a_photo_that_takes_another_name_leaves_nothing_behind(source: Path) -> None:
    run = Run(source)
    run()
    PillowImage.fromarray(make_photo(60, 80, 5)).save(source / "a.jpg")
    run()
    assert {name for name in run.files() if name.startswith("restored")} == {
        "restored/a_jpg.png", "restored/a_png.png", "restored/b.png", "restored/c.png"
    }  # fmt: skip
    assert [r["name"] for r in run.statistics("restoration")["results"]] == ["a_jpg", "a_png", "b", "c"]


def test_large_photos_are_shrunk_and_say_so(source: Path) -> None:
    run = Run(source)
    run(replace(LIGHT, max_side=64))
    assert PillowImage.open(run.output / "restored/a.png").size == (64, 48)
    assert run.records[0].notes == ("a.png is reduced from 80 x 60 to 64 x 48.",)


def test_new_photos_cost_no_look_for_old_files(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(source)
    run()
    PillowImage.fromarray(make_photo(60, 80, 9)).save(source / "d.png")
    monkeypatch.setattr("batch.photo_task.existing_files", lambda *_: 1 / 0)
    assert run().done == 1


def test_half_written_files_of_a_killed_run_are_removed(source: Path) -> None:
    run = Run(source)
    (run.output / "faces").mkdir(parents=True)
    for name in ("a_07_restored.png", ".part-a_00_restored.png", "aa_00_restored.png"):
        (run.output / "faces" / name).write_bytes(b"half")
    run()
    assert {name for name in run.files() if name.startswith("faces")} == {
        "faces/a_00_restored.png", "faces/b_00_restored.png", "faces/c_00_restored.png", "faces/aa_00_restored.png"
    }  # fmt: skip


def test_vast_photos_share_no_batch(source: Path) -> None:
    PillowImage.new("L", (5000, 4000), 90).save(source / "vast.png")
    photos = list(find_photos(source, source.parent / "out"))
    assert [[photo.name for photo in batch] for batch in make_batches(photos, 3)] == [["a", "b", "c"], ["vast"]]
    assert [len(batch) for batch in make_batches(photos, 9)] == [3, 1]


@pytest.mark.parametrize("remote", [False, True])
def test_a_run_that_cannot_begin_keeps_earlier_results(
    source: Path, remote: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(source.parent / "home"))
    run = Run(source)
    place = Place(f"file://{run.output}" if remote else str(run.output))

    def go(settings: Settings) -> None:
        run_photos(run.task(settings), find_photos(source, run.output), place, lambda *_: None)

    def lost(*_: object) -> None:
        raise FaceReconError("The detector is lost.")

    go(LIGHT)
    before = run.files()
    with monkeypatch.context() as patch:
        patch.setattr(PhotoTask, "load", lost)
        with pytest.raises(FaceReconError, match="is lost"):
            go(replace(LIGHT, fidelity=0.1))
    assert run.files() == before
    monkeypatch.setattr(FakeDetector, "detect", lambda *_: [])
    go(replace(LIGHT, fidelity=0.2))  # nobody is seen now: what there was is void
    assert not any(name.endswith(".png") for name in run.files())


def test_photos_out_of_reach_keep_what_was_made_of_them(source: Path) -> None:
    run = Run(source)
    run()
    before, away, photos = run.files(), source.parent / "away", find_photos(source, run.output)
    list(photos)
    listed = [replace(photo) for photo in photos]
    source.rename(away)  # a disk that drops out once its photos are listed
    summary = run_photos(run.task(LIGHT), listed, Place(str(run.output)), lambda *_: None)
    assert summary.failed == 3 and run.files() == before
    away.rename(source)
    assert run().skipped == 3  # nothing is to be done again
    (source / "a.png").write_bytes(b"no picture any more")
    assert run().failed == 1 and not any("/a" in name for name in run.files())


def test_restoring_again_at_a_url_leaves_the_heads(
    source: Path, head: HeadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(source.parent / "home"))
    run = Run(source, head)
    place, photos = Place(f"file://{run.output}"), find_photos(source, run.output)
    run_photos(run.task(Settings(pictures=())), photos, place, lambda *_: None)
    run_photos(run.task(replace(LIGHT, fidelity=0.1)), photos, place, lambda *_: None)
    assert {"heads/a_00.glb", "restored/a.png"} <= run.files()


def test_what_was_made_of_old_results_goes_with_them(source: Path, head: HeadModel) -> None:
    run = Run(source, head)
    run(Settings(pictures=()))
    exported = run.output / "heads" / "a_00.obj"
    exported.write_text("of the head as it was")
    run(Settings(pictures=(), fidelity=0.1))
    assert not exported.exists() and (run.output / "heads" / "a_00.glb").is_file()


def test_photos_that_are_done_again_cost_no_look_for_old_files(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(source)
    run(replace(LIGHT, comparison=True))
    monkeypatch.setattr("batch.photo_task.existing_files", lambda *_: 1 / 0)
    assert run(replace(LIGHT, fidelity=0.1)).done == 3
    assert not any(name.startswith("comparisons") for name in run.files())


def test_settings_of_a_stated_person_are_those_of_former_runs() -> None:
    known = Demographics(30.0, "female", source="user")
    assert PhotoTask(Settings(demographics=known)).settings()["demographics"] == {
        "age": 30.0, "gender": "female", "race": None, "ethnicity": None, "source": "user", "auto_detect": True,
    }  # fmt: skip
    assert PhotoTask(Settings()).settings()["demographics"] is None
