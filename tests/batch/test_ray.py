"""A local Ray cluster of two workers, one of which is killed, gives what one process gives.

Slow to start, so on demand: ``FACERECON_RAY=1 python -m pytest tests/batch/test_ray.py``
(after ``pip install -r requirements-ray.txt``).
"""

from __future__ import annotations

import functools
import io
import json
import os
import signal
import tarfile
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from batch.inputs import find_photos
from batch.jobs import run_photos
from batch.manifest import Record
from batch.options import EngineOptions
from batch.photo_task import RESTORATION, PhotoTask, Settings
from batch.place import Place
from facerecon.pipeline import FaceReconstructor
from tests.batch.test_tars import samples
from tests.fakes import FakeDetector, FakeRestorer, make_photo

pytestmark = pytest.mark.skipif(os.environ.get("FACERECON_RAY") != "1", reason="set FACERECON_RAY=1")
PHOTOS = 12


class DyingRestorer(FakeRestorer):
    """Kills its process once: the first that finds the flag."""

    def __init__(self, flag: Path) -> None:
        super().__init__()
        self.flag = flag

    def restore(self, crops, fidelity=0.7):
        try:
            self.flag.unlink()
        except FileNotFoundError:
            return super().restore(crops, fidelity)
        os.kill(os.getpid(), signal.SIGKILL)


def make(flag: Path, device: str, settings: Settings) -> FaceReconstructor:
    return FaceReconstructor(FakeDetector(), DyingRestorer(flag))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Photos, a broken one, and a tar of photos."""
    folder = tmp_path / "in"
    folder.mkdir()
    with tarfile.open(folder / "shard-000.tar", "w") as tar:
        for seed in range(PHOTOS):
            buffer = io.BytesIO()
            PillowImage.fromarray(make_photo(60, 80, seed)).save(buffer, "PNG")
            if seed % 2:
                (folder / f"p{seed:02d}.png").write_bytes(buffer.getvalue())
            else:
                entry = tarfile.TarInfo(f"p{seed:02d}.png")
                entry.size = len(buffer.getvalue())
                tar.addfile(entry, io.BytesIO(buffer.getvalue()))
    (folder / "broken.jpg").write_text("no picture")
    return folder


def results(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.png")}


def test_a_killed_worker_changes_nothing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # the working copy of a URL's manifest lies there
    flag, records = tmp_path / "flag", []

    def report(record: Record, earlier: bool) -> None:
        records.append((record.input, record.status, earlier))

    def run(folder: str, output: str, engine: EngineOptions, tars: bool = False) -> list:
        records.clear()
        task = PhotoTask(Settings(stages=(RESTORATION,)), make=functools.partial(make, flag))
        run_photos(task, find_photos(folder, output), Place(output, tars), report, engine=engine)
        return sorted(records)

    expected = run(str(source), str(tmp_path / "local"), EngineOptions(num_workers=0))
    flag.touch()
    ray = EngineOptions(engine="ray", num_workers=2, batch_size=2)
    url_in, url_out = f"file://{source}", f"file://{tmp_path / 'ray'}"
    assert run(url_in, url_out, ray) == expected
    assert not flag.exists()
    assert results(tmp_path / "ray") == results(tmp_path / "local") and len(results(tmp_path / "ray")) == 2 * PHOTOS
    statistics = json.loads((tmp_path / "ray" / "restoration_stats.json").read_text())
    assert (statistics["done"], statistics["failed"]) == (PHOTOS, 1)
    assert len((tmp_path / "ray" / "manifest.jsonl").read_text().splitlines()) == PHOTOS + 2
    assert all(earlier for _, _, earlier in run(url_in, url_out, ray))  # nothing is done twice
    assert run(url_in, f"file://{tmp_path / 'tars'}", ray, tars=True) == expected
    assert {key for key, fields in samples(f"file://{tmp_path / 'tars'}").items() if "restored.png" in fields} == {
        path.relative_to(tmp_path / "local/restored").with_suffix("").as_posix() for path in (tmp_path / "local/restored").rglob("*.png")
    }  # fmt: skip
