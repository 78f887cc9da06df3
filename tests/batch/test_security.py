"""Hostile inputs: none escapes the output folder, none hangs, none ends the run."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from batch.inputs import find_photos
from batch.jobs import run_photos
from batch.manifest import Record
from batch.names import name_files
from batch.photo_task import RESTORATION, PhotoTask, Settings
from batch.place import Place
from facerecon.images import load_image
from facerecon.pipeline import FaceReconstructor
from facerecon.types import FaceReconError
from tests.fakes import FakeDetector, FakeRestorer, make_photo

EXAMPLES = int(os.environ.get("FACERECON_FUZZ", "60"))
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def encoded(kind: str, seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(make_photo(30, 40, seed)).save(buffer, kind)
    return buffer.getvalue()


def run(source: Path, output: Path, recursive: bool = True) -> dict[str, Record]:
    pipeline, records = FaceReconstructor(FakeDetector(), FakeRestorer()), {}

    def report(record: Record, earlier: bool) -> None:
        records[record.input] = record

    task = PhotoTask(Settings(stages=(RESTORATION,)), make=lambda device, settings: pipeline)
    run_photos(task, find_photos(source, output, recursive), Place(str(output)), report)
    return records


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


NAMES = ["new\nline.png", 'quo"te\'s.png', "-rf.png", "$(touch x).png", "semi;colon.png", "\u202egnp.png", "x" * 240 + ".png", "..png", "a..b.png"]


def test_odd_names_get_plain_results(tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for seed, name in enumerate(NAMES):
        (source / name).write_bytes(encoded("PNG", seed))
    (os.fsencode(source) + b"/bad\xff.png").decode("utf-8", "surrogateescape")
    with open(os.fsencode(source) + b"/bad\xff.png", "wb") as file:
        file.write(encoded("PNG"))
    records = run(source, output)
    visible = [name for name in NAMES if not name.startswith(".")]
    assert len(records) == len(visible) + 1
    assert {record.status for record in records.values()} == {"done"}, records
    made = {path.name for path in (output / "restored").iterdir()}
    assert len(made) == len(records) and all(name.isprintable() for name in made)
    assert everything(tmp_path) - {name for name in everything(tmp_path) if name.startswith(("in", "out"))} == set()


def test_links_and_pipes_neither_escape_nor_hang(tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    (source / "sub").mkdir(parents=True)
    (source / "good.png").write_bytes(encoded("PNG"))
    (tmp_path / "secret.png").write_bytes(encoded("PNG"))
    (source / "out.png").symlink_to(tmp_path / "secret.png")
    (source / "loop_a.png").symlink_to(source / "loop_b.png")
    (source / "loop_b.png").symlink_to(source / "loop_a.png")
    (source / "sub" / "up").symlink_to(source)
    os.mkfifo(source / "pipe.png")
    (source / "folder.png").mkdir()
    records = run(source, output)
    status = {name: record.status for name, record in records.items()}
    assert status.pop("good.png") == "done"
    assert set(status) == {"out.png", "loop_a.png", "loop_b.png", "pipe.png"} and set(status.values()) == {"failed"}
    assert "regular file" in records["pipe.png"].error and "out of the input folder" in records["out.png"].error


def make_tar(path: Path, members: list[tuple[str, bytes]]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)


def test_a_tar_cannot_write_or_read_outside(tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    photo = encoded("PNG")
    make_tar(source / "s.tar", [("a.png", photo), ("../up.png", photo), ("/abs.png", photo), ("d/../../x.png", photo), ("a.json", b"{}")])
    (source / "bad.tar").write_bytes(b"no tar at all" * 100)
    records = run(source, output)
    assert {name: record.status for name, record in records.items()} == {
        "s.tar/a.png": "done", "s.tar/../up.png": "failed", "s.tar//abs.png": "failed",
        "s.tar/d/../../x.png": "failed", "s.tar/link.png": "failed", "bad.tar": "failed",
    }  # fmt: skip
    assert (output / "restored/s/a.png").exists() and not (tmp_path / "up.png").exists()
    assert all(part not in ("..", "") for record in records.values() for part in record.name.split("/"))


def png_header(width: int, height: int, data: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def test_bombs_and_liars_get_a_sentence(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "bomb.png").write_bytes(png_header(60_000, 60_000, b"\0" * 1000))
    (source / "short.png").write_bytes(png_header(10_000, 10_000, b"\0" * 1000))
    (source / "really_png.jpg").write_bytes(encoded("PNG"))
    (source / "html.jpg").write_text("<html><script>alert(1)</script>")
    (source / "zip.png").write_bytes(b"PK\x03\x04" + b"\0" * 64)
    records = run(source, tmp_path / "out")
    assert records["really_png.jpg"].status == "done"
    assert "megapixels" in records["bomb.png"].error
    assert all(records[name].status == "failed" for name in ("short.png", "html.jpg", "zip.png", "bomb.png"))


def test_a_hundred_megapixels_are_reduced(tmp_path: Path) -> None:
    rows = (b"\0" + b"\xff" * 1250) * 10_000
    (tmp_path / "vast.png").write_bytes(png_header(10_000, 10_000, rows))
    image = load_image(tmp_path / "vast.png")
    assert image.shape[0] * image.shape[1] <= 16_000_000 and image.min() == 255


@fuzz
@given(
    kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"]),
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=12),
    cut=st.floats(0.05, 1),
    extra=st.binary(max_size=40),
)
def test_no_bytes_do_more_than_be_refused(tmp_path: Path, kind: str, changes: list, cut: float, extra: bytes) -> None:
    raw = bytearray(encoded(kind))
    for place, value in changes:
        raw[place % len(raw)] = value
    file = tmp_path / "fuzzed.jpg"
    file.write_bytes(bytes(raw[: max(int(len(raw) * cut), 1)]) + extra)
    try:
        image = load_image(file, max_pixels=1_000_000)
    except FaceReconError as error:
        assert str(error).endswith(".")
    else:
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


@fuzz
@example(["\x1f.png", "\ud800.png"])
@given(st.lists(st.text(st.characters(blacklist_characters="/\0"), min_size=1, max_size=8).map(lambda t: t + ".png"), unique=True, max_size=12))
def test_names_are_printable_distinct_and_stay_inside(files: list[str]) -> None:
    names = [name for _, name in name_files(files)]
    assert len({name.casefold() for name in names}) == len(files)
    assert all(name.isprintable() and "/" not in name and name not in ("", ".", "..") for name in names)


def test_tar_header_bytes_may_be_anything(tmp_path: Path) -> None:
    make_tar(tmp_path / "s.tar", [("a.png", encoded("PNG"))])
    whole = (tmp_path / "s.tar").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(EXAMPLES // 3):
        raw = bytearray(whole[: rng.integers(1, len(whole))])
        for _ in range(6):
            raw[rng.integers(0, min(len(raw), 512))] = rng.integers(0, 256)
        (tmp_path / "t.tar").write_bytes(bytes(raw))
        try:
            assert all(".." not in photo.name.split("/") for photo in find_photos(tmp_path / "t.tar", tmp_path / "out"))
        except FaceReconError as error:
            assert str(error).startswith("There are no photos")
