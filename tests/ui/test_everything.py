"""The zip of all files of a photo."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from facerecon.types import FaceReconError
from facerecon.ui import photo_work, sharing, visitors
from facerecon.ui.engine import Engine
from facerecon.ui.everything import pack_everything
from facerecon.ui.results import EVERYTHING, Finished, GoneError, export
from tests.fakes import make_photo


@pytest.fixture
def finished(pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Finished:
    """A finished photo with two heads."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    PillowImage.fromarray(make_photo()).save(tmp_path / "photo.png")
    *_, last = photo_work.run(Engine(pipeline), "one", str(tmp_path / "photo.png"), 0.7, 1, "all", None)
    return last


def test_everything_is_in_it_and_the_report_finds_it(finished: Finished, pipeline) -> None:
    heard = []
    path = pack_everything(finished, pipeline.head, lambda *news: heard.append(news))
    assert [share for *_, share in heard] == pytest.approx([0, 1 / 3, 2 / 3])
    archive = zipfile.ZipFile(path)
    assert archive.testzip() is None
    names = {name.removeprefix("facerecon_results/") for name in archive.namelist()}
    heads = {f"heads/face_0{n}.{kind}" for n in range(2) for kind in ("glb", "obj", "mtl", "png")}
    assert heads | {"restored/face.png", "parameters/face_00.json", "parameters/face_01.json", "report.html"} <= names
    report = archive.read("facerecon_results/report.html").decode()
    linked = set(re.findall(r'(?:src|href)="([^"]+)"', report))
    assert linked and linked <= names and finished.heads[1].figures["Vertices"] in report


def test_what_was_made_since_comes_in(finished: Finished, pipeline) -> None:
    first = pack_everything(finished, pipeline.head).stat().st_mtime_ns
    assert pack_everything(finished, pipeline.head).stat().st_mtime_ns == first  # not made twice
    export(finished, 1, "ply", pipeline.head)
    assert any(name.endswith("face_01.ply") for name in zipfile.ZipFile(pack_everything(finished, pipeline.head)).namelist())


def test_a_zip_that_fails_leaves_nothing(finished: Finished, pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, written = zipfile.ZipFile.write, []

    def full(self, file, name):
        written.append(name)
        if len(written) > 9:  # after the OBJs, amid the zip of all
            raise OSError(28, "No space left on device")
        whole(self, file, name)

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    with pytest.raises(FaceReconError, match="No space left"):
        pack_everything(finished, pipeline.head)
    assert not list(finished.folder.glob(f"*{EVERYTHING}*"))


def test_it_goes_with_its_visitor_and_is_not_kept_twice(finished: Finished, pipeline) -> None:
    path = pack_everything(finished, pipeline.head)
    shared = sharing.open_shared(sharing.keep(finished, pipeline.head))
    assert not shared.everything.exists() and pack_everything(shared, pipeline.head).is_file()
    visitors.forget("one")
    assert not path.exists()
    with pytest.raises(GoneError):
        pack_everything(finished, pipeline.head)
