"""The named endpoints, called as a program calls them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import gradio_client
import httpx
import pytest
from PIL import Image as PillowImage

from facerecon.ui import limits


def test_three_endpoints_are_documented(client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/restore", "/reconstruct", "/run"}
    names = [parameter["parameter_name"] for parameter in named["/run"]["parameters"]]
    assert names == [
        "photo", "fidelity", "upscale", "faces", "age", "gender", "race", "ethnicity", "auto_detect", "formats",
    ]  # fmt: skip
    assert all(parameter["parameter_has_default"] for parameter in named["/run"]["parameters"][1:])


def test_restore(client, photo: Path) -> None:
    restored, figures = client.predict(gradio_client.handle_file(photo), upscale=2, faces="largest", api_name="/restore")
    assert PillowImage.open(restored).size == (320, 240) and PillowImage.open(restored).format == "PNG"
    assert [face["index"] for face in figures["faces"]] == [0]


def test_the_examples_of_the_manual_work(client, photo: Path) -> None:
    restored, _ = client.predict(gradio_client.handle_file(photo), upscale="2", api_name="/restore")
    assert PillowImage.open(restored).size == (320, 240)
    files, _ = client.predict(gradio_client.handle_file(photo), age="62", formats=["glb", "json"], api_name="/reconstruct")
    assert [Path(file).suffix for file in files] == [".glb", ".json"] * 2
    restored, files, figures = client.predict(gradio_client.handle_file(photo), fidelity=0.5, faces="largest", api_name="/run")
    assert len(files) == 1 and len(figures["heads"]) == 1


@pytest.mark.parametrize("upscale", [3, "large", None])
def test_a_photo_is_enlarged_as_often_as_can_be(client, photo: Path, upscale: object) -> None:
    with pytest.raises(Exception, match="can be enlarged by 1, 2, 4 times"):
        client.predict(gradio_client.handle_file(photo), upscale=upscale, api_name="/restore")


def test_reconstruct_with_demographics(client, photo: Path) -> None:
    files, figures = client.predict(
        gradio_client.handle_file(photo), faces="1", age="71", gender="female", race="asian",
        formats=["glb", "obj", "ply", "gltf", "json"], api_name="/reconstruct",
    )  # fmt: skip
    assert [Path(file).suffix for file in files] == [".glb", ".zip", ".ply", ".gltf", ".json"]
    assert Path(files[0]).read_bytes()[:4] == b"glTF"
    assert {Path(name).suffix for name in zipfile.ZipFile(files[1]).namelist()} == {".obj", ".mtl", ".png"}
    (head,) = figures["heads"]
    assert head["demographics"] == {"age": 71.0, "gender": "female", "race": "Asian", "ethnicity": None, "source": "user"}


def test_run(client, photo: Path) -> None:
    restored, files, figures = client.predict(gradio_client.handle_file(photo), api_name="/run")
    assert PillowImage.open(restored).size == (160, 120)
    assert [Path(file).name for file in files] == ["face_00.glb", "face_01.glb"]
    assert len(figures["heads"]) == len(figures["faces"]) == 2
    assert {"find", "restore", "reconstruct", "total"} <= set(figures["seconds"])


@pytest.mark.parametrize(
    ("content", "says"), [("text", "is not a picture"), ("black", "No face was found"), ("huge", "megapixels")]
)
def test_errors_are_sentences(client, tmp_path: Path, content: str, says: str, monkeypatch) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture") if content == "text" else PillowImage.new("RGB", (60, 60)).save(bad)
    monkeypatch.setattr(limits, "MAX_UPLOAD_PIXELS", 3000 if content == "huge" else 10**8)
    with pytest.raises(Exception, match=says):
        client.predict(gradio_client.handle_file(bad), api_name="/restore")


def test_wrong_words_are_refused(client, photo: Path) -> None:
    with pytest.raises(Exception, match="is none of"):
        client.predict(gradio_client.handle_file(photo), race="Martian", api_name="/reconstruct")


def test_a_client_cannot_name_a_file_of_the_server(url: str, photo: Path) -> None:
    secret = limits.private_root() / "visitors" / "somebody" / "restored.png"
    secret.parent.mkdir(parents=True)
    secret.write_bytes(photo.read_bytes())
    for path in (secret, photo):
        data = [{"path": str(path), "meta": {"_type": "gradio.FileData"}}, 0.7, 1, "all"]
        event = httpx.post(f"{url}gradio_api/call/restore", json={"data": data}, timeout=120).json()["event_id"]
        answer = httpx.get(f"{url}gradio_api/call/restore/{event}", timeout=120).text
        assert "event: error" in answer and "event: complete" not in answer
    assert httpx.get(f"{url}gradio_api/file={photo}", timeout=120).status_code == 403
