"""Photos as people really have them: each is done or gets one sentence, and none costs the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from batch.inputs import find_photos
from batch.jobs import run_photos
from batch.manifest import Record
from batch.photo_task import RESTORATION, PhotoTask, Settings
from batch.place import Place
from facerecon.pipeline import FaceReconstructor
from tests.fakes import FakeDetector, FakeRestorer, make_photo


def fill(folder: Path) -> None:
    photo = PillowImage.fromarray(make_photo(60, 80))
    photo.save(folder / "good.jpg")
    whole = (folder / "good.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) * 9 // 10])
    (folder / "text.jpg").write_text("no picture")
    (folder / "empty.png").touch()
    photo.save(folder / "animated.gif", save_all=True, append_images=[photo.transpose(PillowImage.Transpose.ROTATE_180)])
    PillowImage.new("RGB", (80, 60)).save(folder / "nobody.png")
    PillowImage.new("L", (12_000, 2_000), 90).save(folder / "wide.png")
    photo.convert("CMYK").save(folder / "cmyk.jpg")
    photo.convert("L").save(folder / "grey.png")
    deep = (make_photo(60, 80)[..., 0].astype(np.uint16) * 257)
    PillowImage.fromarray(deep).save(folder / "deep.png")
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    photo.save(folder / "turned.jpg", exif=exif)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    source, output = tmp_path_factory.mktemp("in"), tmp_path_factory.mktemp("out")
    fill(source)
    pipeline, found = FaceReconstructor(FakeDetector(), FakeRestorer()), {}

    def report(record: Record, earlier: bool) -> None:
        found[record.input] = record

    settings = Settings(stages=(RESTORATION,))
    task = PhotoTask(settings, make=lambda device, settings: pipeline)
    run_photos(task, find_photos(source, output), Place(str(output)), report)
    return found


@pytest.mark.parametrize(
    "name, words",
    [
        ("truncated.jpg", "cut off"),
        ("text.jpg", "not a picture"),
        ("empty.png", "is empty"),
        ("animated.gif", "animation"),
        ("nobody.png", "No face was found"),
    ],
)
def test_hopeless_photos_get_a_sentence(records: dict[str, Record], name: str, words: str) -> None:
    record = records[name]
    assert record.status == "failed" and words in record.error
    assert record.error.endswith(".") and "\n" not in record.error and record.files == ()


@pytest.mark.parametrize("name", ["good.jpg", "cmyk.jpg", "grey.png", "deep.png", "turned.jpg", "wide.png"])
def test_odd_photos_are_done(records: dict[str, Record], name: str) -> None:
    assert records[name].status == "done", records[name].error


def test_a_turned_photo_is_upright(records: dict[str, Record]) -> None:
    assert (records["turned.jpg"].figures[RESTORATION]["width"], records["turned.jpg"].figures[RESTORATION]["height"]) == (60, 80)


def test_a_reduced_photo_says_so(records: dict[str, Record]) -> None:
    (note,) = records["wide.png"].notes
    assert "12000 x 2000" in note and note.endswith(".")
