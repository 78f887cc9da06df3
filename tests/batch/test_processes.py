from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from batch import engines
from batch.inputs import find_photos
from batch.jobs import run_photos
from batch.manifest import Record
from batch.options import EngineOptions
from batch.photo_task import RESTORATION, PhotoTask, Settings
from batch.place import Place
from batch.ranks import Ranks
from facerecon.types import FaceReconError
from tests.batch.test_kill import tree
from tests.batch.tiny_run import make_reconstructor
from tests.fakes import make_photo

TASK = PhotoTask(Settings(stages=(RESTORATION,)), make=make_reconstructor)


class Lost(PhotoTask):
    def load(self) -> None:
        raise FaceReconError("The checkpoint is lost.")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for seed in range(9):
        PillowImage.fromarray(make_photo(60, 80, seed)).save(folder / f"p{seed}.png")
    PillowImage.fromarray(np.zeros((60, 80, 3), np.uint8)).save(folder / "nobody.png")
    return folder


def run(source: Path, output: Path, engine: EngineOptions, **options) -> dict[str, Record]:
    records = {}

    def report(record: Record, earlier: bool) -> None:
        records[record.input] = record

    run_photos(TASK, find_photos(source, output), Place(str(output)), report, engine=engine, **options)
    return records


def test_a_photo_that_kills_its_worker_costs_itself_alone(source: Path, tmp_path: Path) -> None:
    PillowImage.new("RGB", (80, 60), "white").save(source / "deadly.png")
    records = run(source, tmp_path / "out", EngineOptions(num_workers=2, batch_size=2))
    failed = {name: record.error for name, record in records.items() if record.status == "failed"}
    assert set(failed) == {"deadly.png", "nobody.png"} and "killed" in failed["deadly.png"]
    before = (tmp_path / "out" / "manifest.jsonl").read_bytes()
    run(source, tmp_path / "out", EngineOptions(num_workers=1))
    assert (tmp_path / "out" / "manifest.jsonl").read_bytes() == before  # nobody tries it again
    (source / "deadly.png").unlink()
    expected = tmp_path / "expected"
    run(source, expected, EngineOptions(num_workers=0, batch_size=4))
    made, wanted = ({n: v for n, v in tree(f).items() if n.endswith("png")} for f in (tmp_path / "out", expected))
    assert made == wanted


def test_what_no_worker_can_go_on_with_ends_the_run(source: Path, tmp_path: Path) -> None:
    task, output = Lost(Settings(stages=(RESTORATION,)), make=make_reconstructor), tmp_path / "out"
    engine = EngineOptions(num_workers=1)
    with pytest.raises(FaceReconError, match="is lost"):
        run_photos(task, find_photos(source, output), Place(str(output)), lambda r, e: None, engine=engine)


def test_crops_are_batched_across_photos(source: Path, tmp_path: Path) -> None:
    calls: list[int] = []
    pipeline = make_reconstructor("cpu", None)
    restore = pipeline.restorer.restore
    pipeline.restorer.restore = lambda crops, fidelity: calls.append(len(crops)) or restore(crops, fidelity)
    task = PhotoTask(Settings(stages=(RESTORATION,)), make=lambda device, settings: pipeline)
    output = tmp_path / "out"
    engine = EngineOptions(num_workers=0, batch_size=5)
    run_photos(task, find_photos(source, output), Place(str(output)), lambda r, e: None, engine=engine)
    assert set(calls) == {4, 5}  # one of the ten shows nobody


def test_launched_processes_share_the_photos(source: Path, tmp_path: Path) -> None:
    shares = [run(source, tmp_path / "out", EngineOptions(num_workers=0), ranks=Ranks(rank, 3)) for rank in range(3)]
    names = [name for share in shares for name in share]
    assert len(names) == len(set(names)) == 10 and {len(share) for share in shares} == {3, 4}
    again = run(source, tmp_path / "out", EngineOptions(num_workers=0))
    assert len(again) == 10 and len((tmp_path / "out" / "manifest.jsonl").read_text().split()) > 10


def test_a_handful_needs_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert [engines.default_workers(n) for n in (1, 3, 4, 7, 8, 1000)] == [0, 0, 2, 3, 4, 4]


def test_an_unknown_engine_is_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(FaceReconError, match="'spark'.*local or ray"):
        run(source, tmp_path / "out", EngineOptions(engine="spark"))
