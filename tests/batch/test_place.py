"""Inputs and outputs as fsspec URLs, and tars, without a cluster."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image as PillowImage
from typer.testing import CliRunner

import batch.photo_task
from batch.inputs import find_photos
from batch.jobs import run_photos
from batch.main import app
from batch.manifest import Record
from batch.options import ResumeOptions
from batch.photo_task import RESTORATION, PhotoTask, Settings
from batch.place import MANIFEST, Place, PlaceError
from batch.sources import filesystem
from facerecon.pipeline import FaceReconstructor
from facerecon.types import FaceReconError
from tests.batch.tiny_run import make_reconstructor
from tests.fakes import FakeDetector, FakeRestorer, make_photo


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two photos in folders, two in a tar."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "in"
    (folder / "album").mkdir(parents=True)
    photos = []
    for seed in range(4):
        buffer = io.BytesIO()
        PillowImage.fromarray(make_photo(60, 80, seed)).save(buffer, "PNG")
        photos.append(buffer.getvalue())
    (folder / "a.png").write_bytes(photos[0])
    (folder / "album" / "b.png").write_bytes(photos[1])
    with tarfile.open(folder / "shard.tar", "w") as tar:
        for name, content in (("0001.png", photos[2]), ("sub/0002.png", photos[3]), ("0001.json", b"{}")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return folder


def run(source: str, output: str, fidelity: float = 0.7, **resume) -> dict[str, tuple[str, bool]]:
    records = {}

    def report(record: Record, earlier: bool) -> None:
        records[record.input] = (record.status, earlier)

    task = PhotoTask(
        Settings(stages=(RESTORATION,), fidelity=fidelity),
        make=lambda device, settings: FaceReconstructor(FakeDetector(), FakeRestorer()),
    )
    run_photos(task, find_photos(source, output, recursive=True), Place(output), report, ResumeOptions(**resume))
    return records


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


def test_urls_give_what_folders_give_and_resume(source: Path, tmp_path: Path) -> None:
    run(str(source), str(tmp_path / "local"))
    url = f"file://{tmp_path / 'remote'}"
    records = run(f"file://{source}", url)
    assert set(records) == {"a.png", "album/b.png", "shard.tar/0001.png", "shard.tar/sub/0002.png"}
    assert pictures(tmp_path / "remote") == pictures(tmp_path / "local")
    assert "restored/shard/sub/0002.png" in pictures(tmp_path / "remote")
    assert json.loads((tmp_path / "remote" / "restoration_stats.json").read_text())["done"] == 4
    assert set(run(f"file://{source}", url).values()) == {("done", True)}
    (source / "a.png").write_bytes((source / "album" / "b.png").read_bytes())
    (tmp_path / "remote" / "restored" / "shard" / "0001.png").unlink()
    again = run(f"file://{source}", url)
    assert {name for name, (_, earlier) in again.items() if not earlier} == {"a.png", "shard.tar/0001.png"}


def test_another_machine_goes_on_from_the_copy_at_the_url(source: Path, tmp_path: Path, monkeypatch) -> None:
    url = f"file://{tmp_path / 'remote'}"
    run(str(source), url)
    monkeypatch.setenv("HOME", str(tmp_path / "other_home"))
    assert set(run(str(source), url).values()) == {("done", True)}
    (tmp_path / "remote" / MANIFEST).unlink()  # somebody emptied the place: this machine's memory of it is void
    assert set(run(str(source), url).values()) == {("done", False)}


def test_single_tars_and_files_are_inputs(source: Path, tmp_path: Path) -> None:
    assert set(run(str(source / "shard.tar"), str(tmp_path / "o1"))) == {"shard.tar/0001.png", "shard.tar/sub/0002.png"}
    assert set(run(f"file://{source}/shard.tar", str(tmp_path / "o2"))) == {"shard.tar/0001.png", "shard.tar/sub/0002.png"}
    assert set(run(f"file://{source}/a.png", str(tmp_path / "o3"))) == {"a.png"}


def test_photos_in_tars_are_known_by_their_bytes(source: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "out")
    run(str(source / "shard.tar"), output)
    raw = bytearray((source / "shard.tar").read_bytes())
    member = next(photo for photo in find_photos(source / "shard.tar", output) if photo.name == "shard/0001")
    raw[member.span[0] + member.span[1] - 20] ^= 1
    (source / "shard.tar").write_bytes(bytes(raw))
    again = run(str(source / "shard.tar"), output)
    assert not again["shard.tar/0001.png"][1] and again["shard.tar/sub/0002.png"][1]


def test_urls_that_lead_nowhere_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FaceReconError, match="nothing at file://"):
        find_photos(f"file://{tmp_path}/none", str(tmp_path / "out"))
    with pytest.raises(FaceReconError, match="cannot be opened|needs a package"):
        filesystem("nosuchprotocol://bucket")
    with pytest.raises(PlaceError, match="refuses"):
        Place(f"file://{tmp_path}/x").publish(tmp_path, [tmp_path / "missing.png"])


def test_a_dry_run_leaves_the_manifest_of_a_live_run_alone(source: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(batch.photo_task, "make_reconstructor", make_reconstructor)
    url = f"file://{tmp_path / 'remote'}"
    command = ["restore", str(source), "-r", "-o", url, "--num-workers", "0"]

    def todo() -> int:
        result = CliRunner().invoke(app, [*command, "--dry-run", "--json"])
        return json.loads(result.stdout.splitlines()[-1])["todo"]

    assert CliRunner().invoke(app, command).exit_code == 0 and todo() == 0
    mine, theirs = Place(url).home / MANIFEST, tmp_path / "remote" / MANIFEST
    whole = theirs.read_bytes()
    mine.write_bytes(whole[: whole.index(b"\n") + 1])  # this machine's is behind
    before = mine.read_bytes()
    assert todo() == 0 and mine.read_bytes() == before
    theirs.unlink()  # a run that has just begun has put nothing there yet
    assert todo() == 4 and mine.read_bytes() == before
