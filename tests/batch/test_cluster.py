"""``embed`` and ``cluster``: one table of vectors, folders of people, and nothing done twice."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image as PillowImage
from typer.testing import CliRunner

from batch import cluster, embed, embed_task, face_task
from facerecon.identity import IdentityEncoder
from tests.fakes import FakeDetector

pytest.importorskip("sklearn")
COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}


class ColourEncoder:
    """Tells people apart by colour, and counts the faces it saw."""

    def __init__(self) -> None:
        self.seen = 0

    crop = staticmethod(lambda image, face: image)

    def embed(self, images):
        self.seen += len(images)
        vectors = np.array([image.reshape(-1, 3).mean(0) for image in images], np.float32).reshape(-1, 3)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def encoder(monkeypatch) -> ColourEncoder:
    stand_in = ColourEncoder()
    monkeypatch.setattr(IdentityEncoder, "from_pretrained", classmethod(lambda cls, device="auto": stand_in))
    monkeypatch.setattr(face_task, "create_detector", lambda **options: FakeDetector())
    monkeypatch.setattr(embed_task.EmbedTask, "versions", lambda self: {"identity": "fake"})
    return stand_in


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three photos of red, two of green, one of blue; one without a face."""
    folder, rng = tmp_path / "in", np.random.default_rng(0)
    folder.mkdir()
    for name, count in (("red", 3), ("green", 2), ("blue", 1)):
        for i in range(count):
            photo = np.clip(np.full((60, 60, 3), COLOURS[name]) + rng.normal(0, 6, 3), 1, 255).astype(np.uint8)
            PillowImage.fromarray(photo).save(folder / f"{name}{i}.png")
    PillowImage.fromarray(np.zeros((60, 60, 3), np.uint8)).save(folder / "empty.png")
    return folder


def call(*arguments: str):
    app = typer.Typer()
    app.callback()(lambda: None)
    embed.register(app)
    cluster.register(app)
    return CliRunner().invoke(app, [*arguments, "--num-workers", "0", "--quiet"])


def test_people_get_folders_and_a_table(source, tmp_path, encoder):
    out = tmp_path / "out"
    assert call("cluster", str(source), "-o", str(out)).exit_code == 1  # the photo without a face
    rows = list(csv.DictReader((out / "clusters.csv").open()))
    groups = {row["photo"]: row["cluster"] for row in rows}
    assert groups == {"red0.png": "0", "red1.png": "0", "red2.png": "0", "green0.png": "1", "green1.png": "1", "blue0.png": "-1"}
    assert sorted(p.name for p in (out / "clusters").iterdir()) == ["person_000", "person_001"]
    assert len(list((out / "clusters/person_000").glob("red*.jpg"))) == 3
    sheet = np.array(PillowImage.open(out / "clusters/person_000/contact_sheet.jpg"))
    assert sheet.shape == (236, 236, 3)
    assert all((out / row["crop"]).is_file() for row in rows)


def test_a_second_run_embeds_what_is_new(source, tmp_path, encoder):
    out = tmp_path / "out"
    call("cluster", str(source), "-o", str(out))
    assert encoder.seen == 6
    before = (out / "clusters.csv").stat().st_mtime_ns
    call("cluster", str(source), "-o", str(out))
    assert encoder.seen == 6 and (out / "clusters.csv").stat().st_mtime_ns == before
    shutil.copy(source / "blue0.png", source / "blue1.png")
    call("cluster", str(source), "-o", str(out))
    assert encoder.seen == 7
    assert json.loads((out / "clusters.json").read_text())["people"] == 3


def test_settings_form_other_groups(source, tmp_path, encoder):
    out = tmp_path / "out"
    call("cluster", str(source), "-o", str(out), "--min-size", "3")
    assert [p.name for p in (out / "clusters").iterdir()] == ["person_000"]


def test_a_dry_run_writes_nothing(source, tmp_path, encoder):
    for command in ("cluster", "embed"):
        assert call(command, str(source), "-o", str(tmp_path / "out"), "--dry-run").exit_code == 0
    assert not (tmp_path / "out").exists() and encoder.seen == 0


def test_embed_writes_one_table(source, tmp_path, encoder):
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "out"
    (source / "empty.png").unlink()
    assert call("embed", str(source), "-o", str(out)).exit_code == 0
    table = parquet.read_table(out / "embeddings.parquet").to_pydict()
    assert table["photo"] == ["blue0.png", "green0.png", "green1.png", "red0.png", "red1.png", "red2.png"]
    vectors = np.array(table["embedding"])
    assert vectors.shape == (6, 3) and vectors[3] @ vectors[4] > 0.99 > vectors[3] @ vectors[0]


def test_urls_are_refused(source, encoder):
    assert call("cluster", str(source), "-o", "memory://out").exit_code == 1


def test_a_photo_of_another_format_takes_the_place_of_the_old_one(source, tmp_path, encoder):
    out = tmp_path / "out"
    call("cluster", str(source), "-o", str(out))
    with PillowImage.open(source / "red0.png") as photo:
        photo.save(source / "red0.bmp")
    (source / "red0.png").unlink()
    assert call("cluster", str(source), "-o", str(out)).exit_code == 1  # the photo without a face
    photos = [row["photo"] for row in csv.DictReader((out / "clusters.csv").open())]
    assert len(photos) == 6 and "red0.bmp" in photos and "red0.png" not in photos


def test_names_alike_or_long_or_no_text_are_all_there(source, tmp_path, encoder):
    photos = ["red_/0.png", "red_/_0.png", "red____0.png", f"{'long' * 30}/{'name' * 30}.png"]
    for name in photos:
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(source / "red0.png", source / name)
    os.rename(source / "green0.png", os.fsencode(source) + b"/gr\xfcn.png")
    (source / "empty.png").unlink()
    for command in ("embed", "cluster"):
        assert call(command, str(source), "-o", str(tmp_path / "out"), "--recursive").exit_code == 0
    assert len(list((tmp_path / "out" / "clusters" / "person_000").glob("*.jpg"))) == 3 + len(photos) + 1  # and their sheet
    with open(tmp_path / "out" / "clusters.csv", newline="", encoding="utf-8") as table:
        assert "gr\\udcfcn.png" in table.read()


@pytest.mark.parametrize("command, table", [("cluster", "clusters.csv"), ("embed", "embeddings.parquet")])
def test_a_photo_that_was_thrown_away_with_its_files_is_left_out(source, tmp_path, encoder, command, table):
    out = tmp_path / "out"
    (source / "empty.png").unlink()
    call(command, str(source), "-o", str(out))
    (source / "red0.png").unlink()
    for file in (*out.glob("embeddings/red0*"), *out.glob("crops/red0*")):
        file.unlink()
    before = (out / table).read_bytes()
    assert call(command, str(source), "-o", str(out)).exit_code == 0
    assert b"red0" in before and b"red0" not in (out / table).read_bytes()
