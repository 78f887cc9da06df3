"""``restore-samples``, and the options that ``restore`` alone has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from typer.testing import CliRunner

import batch.main
import batch.photo_task
import facerecon.pipeline
from facerecon.faces.detect import create_detector
from facerecon.pipeline import FaceReconstructor
from tests.fakes import FakeDetector, FakeRestorer, make_photo


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def make(device: str = "auto", **options: object) -> FaceReconstructor:
        detector = create_detector("aligned") if options.get("name") == "aligned" else FakeDetector()
        return FaceReconstructor(detector, FakeRestorer())

    monkeypatch.setattr(facerecon.pipeline.FaceReconstructor, "from_pretrained", staticmethod(make))
    photos = tmp_path / "in"
    photos.mkdir()
    for i in range(4):
        PillowImage.fromarray(make_photo(60, 80, i)).save(photos / f"{i}.png")
    PillowImage.fromarray(np.zeros((60, 80, 3), np.uint8)).save(photos / "9.png")
    return photos


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(batch.main.app, list(arguments))
    return result.exit_code, " ".join(result.output.split())


def test_one_sheet_of_all_fidelities(folder: Path, tmp_path: Path) -> None:
    (folder / "9.png").unlink()
    code, said = call("restore-samples", str(folder), "-o", str(tmp_path / "out"), "--num-samples", "2", "--fidelities", "0,1")
    assert code == 0 and "2 done" in said
    with PillowImage.open(tmp_path / "out" / "restore_samples.jpg") as sheet:
        assert sheet.size == (3 * 256, 2 * 256 + 32)


def test_a_photo_without_a_face_fails_alone(folder: Path, tmp_path: Path) -> None:
    code, said = call("restore-samples", str(folder), "-o", str(tmp_path / "out"), "--fidelities", "0.5")
    assert code == 1 and "4 done, 1 failed" in said and "No face" in said
    assert (tmp_path / "out" / "restore_samples.jpg").exists()


@pytest.mark.parametrize("words", ["", "2", "0.5,x"])
def test_fidelities_that_are_none(folder: Path, tmp_path: Path, words: str) -> None:
    assert call("restore-samples", str(folder), "-o", str(tmp_path / "out"), "--fidelities", words)[0] == 2


def test_dry_run_writes_nothing(folder: Path, tmp_path: Path) -> None:
    code, said = call("restore-samples", str(folder), "-o", str(tmp_path / "out"), "--dry-run", "--num-samples", "3")
    assert code == 0 and "3 photos" in said and not (tmp_path / "out").exists()


def test_only_faces_of_aligned_crops(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, _ = call("restore", str(folder), "-o", str(out), "--aligned", "--only-faces", "--num-workers", "0")
    assert code == 0  # the black photo, too: nothing is looked for
    assert len(list((out / "faces").glob("*_00_restored.png"))) == 5 and not (out / "restored").exists()
    assert '"doubts"' in (out / "restoration_stats.json").read_text()
