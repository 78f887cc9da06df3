"""``label`` makes a table, goes on where it was stopped, and says what it cannot do."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import batch.face_task
import batch.label_task
from batch.main import app
from facerecon.demographics.estimator import DemographicsEstimate, DemographicsEstimator
from facerecon.images import save_image
from tests.fakes import FakeDetector, make_face, make_photo


class FakeEstimator:
    """Sees the photo's brightness as an age."""

    looked = 0

    def predict(self, images, faces):
        FakeEstimator.looked += len(images)
        return [
            DemographicsEstimate(float(im.mean() / 4), 5.0, {"female": 0.8, "male": 0.2}, {"Asian": 0.5, "Indian": 0.5})
            for im in images
        ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    faces = [make_face(5, 5, 30), make_face(60, 20, 80)]
    monkeypatch.setattr(batch.face_task, "create_detector", lambda **_: FakeDetector(faces))
    monkeypatch.setattr(DemographicsEstimator, "from_pretrained", lambda device: FakeEstimator())
    monkeypatch.setattr(batch.label_task.LabelTask, "versions", lambda self: {"demographics": "fake-1"})
    FakeEstimator.looked = 0
    for i in range(3):
        save_image(tmp_path / "photos" / f"{i}.png", make_photo(seed=i))
    return tmp_path


def run(folder: Path, *more: str):
    arguments = ["label", str(folder / "photos"), "--output", str(folder / "labels.csv"), "--num-workers", "0", *more]
    return CliRunner().invoke(app, arguments)


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "labels.csv", newline="") as handle:
        return list(csv.DictReader(handle))


def test_one_row_a_photo_and_nothing_twice(folder: Path) -> None:
    assert run(folder).exit_code == 0
    first = rows(folder)
    assert [r["image"] for r in first] == ["0.png", "1.png", "2.png"]
    assert list(first[0]) == ["image", "age", "race", "gender", "confidence"]
    assert first[0]["gender"] == "female" and float(first[0]["confidence"]) == pytest.approx(0.4)
    save_image(folder / "photos" / "3.png", make_photo(seed=9))
    assert run(folder).exit_code == 0
    assert FakeEstimator.looked == 4 and rows(folder)[:3] == first and len(rows(folder)) == 4


def test_the_last_word_is_where_the_table_lies(folder: Path) -> None:
    last = json.loads(run(folder, "--json").stdout.splitlines()[-1])
    assert (last["event"], last["output"]) == ("end", str(folder / "labels.csv"))


def test_all_faces_are_told_apart(folder: Path) -> None:
    run(folder, "--faces", "all")
    assert [(r["image"], r["face"]) for r in rows(folder)][:2] == [("0.png", "0"), ("0.png", "1")]


def test_a_photo_without_a_face_fails_alone(folder: Path) -> None:
    save_image(folder / "photos" / "1.png", np.zeros((60, 60, 3), np.uint8))
    result = run(folder)
    assert result.exit_code == 1
    assert [r["image"] for r in rows(folder)] == ["0.png", "2.png"]


def test_deepface_that_is_missing_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "deepface", None)
    result = run(folder, "--backend", "deepface")
    assert result.exit_code == 1 and "not installed" in result.output.replace("\n", " ")
    assert not (folder / "labels.csv").exists()
    assert run(folder, "--backend", "crystal ball").exit_code == 2


def test_the_table_may_be_called_after_the_photos(folder: Path) -> None:
    arguments = ["label", str(folder / "photos"), "--output", str(folder / "photos.csv"), "--num-workers", "0"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert (folder / "photos.csv").is_file() and (folder / "photos.csv.state" / "manifest.jsonl").is_file()


def test_another_kind_of_table_is_refused(folder: Path) -> None:
    result = CliRunner().invoke(app, ["label", str(folder / "photos"), "--output", str(folder / "people.tsv")])
    assert result.exit_code == 2 and "people.csv" in result.output and not (folder / "people.tsv").exists()


def test_a_name_that_is_no_text_costs_no_table(folder: Path) -> None:
    os.rename(folder / "photos" / "0.png", os.fsencode(folder / "photos") + b"/caf\xe9.png")
    assert run(folder).exit_code == 0
    assert [row["image"] for row in rows(folder)] == ["1.png", "2.png", "caf\\udce9.png"]
