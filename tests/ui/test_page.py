"""The page, served and called as a browser calls it, with stand-ins for the networks."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image as PillowImage

gradio_client = pytest.importorskip("gradio_client")

from facerecon.head.model import HeadModel  # noqa: E402
from facerecon.pipeline import FaceReconstructor  # noqa: E402
from facerecon.types import Demographics  # noqa: E402
from facerecon.ui import photo_work, visitors  # noqa: E402
from facerecon.ui.page import CSS, THEME, build_page  # noqa: E402
from tests.fakes import FakeDetector, FakeReconstructor, FakeRestorer, make_face, make_photo  # noqa: E402

FACES = [make_face(10, 10, 60), make_face(90, 40, 40)]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory):
    cache = tmp_path_factory.mktemp("gradio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(cache))
        head = HeadModel.from_pretrained()
        pipeline = FaceReconstructor(FakeDetector(FACES), FakeRestorer(), FakeReconstructor(head), head)
        page = build_page(pipeline)
        _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, theme=THEME, css=CSS, show_error=True)
        client = gradio_client.Client(url, verbose=False, download_files=str(cache / "client"))
        yield client
        client.close()
        page.close()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    PillowImage.fromarray(make_photo()).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def call(client, photo: Path, **changes) -> tuple[list, list]:
    """The two answers of a click: the result, then the other downloads."""
    values = {
        "fidelity": 0.7, "upscale": 2, "faces": "all", "auto_detect": True, "use_age": True, "age": 71,
        "gender": "female", "race": "Asian", "ethnicity": "", **changes,
    }  # fmt: skip
    job = client.submit(gradio_client.handle_file(photo), *values.values(), api_name="/run")
    job.result(timeout=300)
    return job.outputs()


def test_a_visitor_gets_everything(client, photo: Path) -> None:
    first, last = call(client, photo)
    slider, restored, choice, viewer, figures = first[:5]
    glb, obj, ply, gltf, parameters = last[5:]
    before, after = (PillowImage.open(side) for side in slider)
    assert before.size == after.size == (320, 240) and before.format == "PNG"
    assert PillowImage.open(_file(restored)).size == (320, 240)
    assert choice["visible"] and [label for label, _ in choice["choices"]] == ["Face 1", "Face 2"]
    assert Path(_file(viewer)).read_bytes()[:4] == b"glTF"
    assert Path(_file(glb)).suffix == ".glb" and Path(_file(ply)).suffix == ".ply" and Path(_file(gltf)).suffix == ".gltf"
    assert {Path(name).suffix for name in zipfile.ZipFile(_file(obj)).namelist()} == {".obj", ".mtl", ".png"}
    values = json.loads(Path(_file(parameters)).read_text())
    assert values["demographics"] == {
        "age": 71.0, "gender": "female", "race": "Asian", "ethnicity": None, "source": "user"
    }  # fmt: skip
    assert "| Vertices |" in figures and "| Faces |" in figures and "| Seconds |" in figures
    assert "age 71" in figures and "Asian" in figures


@pytest.mark.parametrize("content", ["text", "black"])
def test_errors_are_sentences(client, tmp_path: Path, content: str) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture") if content == "text" else PillowImage.new("RGB", (60, 60)).save(bad)
    with pytest.raises(Exception, match="is not a picture|No face was found"):
        call(client, bad)


def test_what_is_not_said_is_left_to_the_network() -> None:
    form = photo_work.demographics_from_form
    assert form(True, False, 40, "", "", " ") is None
    assert form(False, False, 40, "", "", "") == Demographics(source="user", auto_detect=False)
    assert form(True, True, 40, "male", "", "Sami") == Demographics(40.0, "male", None, "Sami", "user")


def test_visitors_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    first, other = visitors.new_folder("one"), visitors.new_folder("two")
    second = visitors.new_folder("one")
    assert second.is_dir() and other.is_dir() and not first.exists()
    visitors.forget("one")
    assert not second.exists() and other.is_dir()


def _file(value) -> str:
    return value["value"] if isinstance(value, dict) else value
