"""Finished photos: their files, links to them, and how they end."""

from __future__ import annotations

import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import gradio as gr
import pytest
from PIL import Image as PillowImage

from facerecon import outputs
from facerecon.types import Demographics
from facerecon.ui import limits, photo_work, sharing, visitors
from facerecon.ui.engine import Engine, Seen, Step
from facerecon.ui.photo_tab import PhotoTab
from facerecon.ui.results import Finished, GoneError, adopt, export
from facerecon.ui.shelf import Shelf
from tests.fakes import make_photo


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    return tmp_path / "gradio"


@pytest.fixture(scope="module")
def made(pipeline, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A finished photo with two heads."""
    photo = tmp_path_factory.mktemp("made") / "photo.png"
    PillowImage.fromarray(make_photo()).save(photo)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(photo.parent / "gradio"))
        *steps, last = photo_work.run(Engine(pipeline), "one", str(photo), 0.7, 2, "all", None)
    ended = [step.name for step in steps if isinstance(step, Step) and step.seconds is not None]
    assert ended == ["find", "restore", "reconstruct", "write"]
    return last


@pytest.fixture
def finished(made: Finished) -> Finished:
    """The same in the folder of this test's visitor ``one``."""
    return adopt(made, visitors.new_folder("one"))


def test_a_run_leaves_what_is_seen_at_once(finished: Finished) -> None:
    before, after = (PillowImage.open(path) for path in finished.previews())
    assert before.size == after.size == (320, 240) and after.format == "PNG"
    assert all(path.is_file() for head in finished.heads for path in finished.previews(head.number))
    assert finished.file(1, "glb").read_bytes()[:4] == b"glTF" and finished.file(1, "json").is_file()
    assert finished.head("Face 2").figures["Detail in the photo"] == "Low"
    assert not finished.file(0, "obj").exists()


def test_other_files_are_made_when_asked_for(finished: Finished, pipeline, monkeypatch) -> None:
    monkeypatch.setattr("facerecon.outputs.TURNTABLE_SIDE", 32)
    assert export(finished, 0, "obj", pipeline.head).name == "face_00_obj.zip"
    heard = []
    video = cv2.VideoCapture(str(export(finished, 0, "mp4", pipeline.head, lambda *news: heard.append(news))))
    assert len(heard) > 20 and heard[-1] == ("mp4", None, 1.0)
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) > 20
    visitors.forget("one")
    with pytest.raises(GoneError):
        export(finished, 0, "ply", pipeline.head)


def test_a_zip_is_whole_or_not_there(finished: Finished, pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    whole = zipfile.ZipFile.write
    monkeypatch.setattr(zipfile.ZipFile, "write", lambda *given: seen.append(finished.file(0, "obj").exists()) or whole(*given))
    export(finished, 0, "obj", pipeline.head)
    assert seen == [False] * 3 and zipfile.ZipFile(finished.file(0, "obj")).testzip() is None


def test_two_clicks_make_one_file(finished: Finished, pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    made, write = [], outputs.write_head

    def slow(*given):
        made.append(given)
        time.sleep(0.2)
        return write(*given)

    monkeypatch.setattr(outputs, "write_head", slow)
    with ThreadPoolExecutor(2) as clicks:
        one, other = clicks.map(lambda _: export(finished, 0, "obj", pipeline.head), range(2))
    assert one == other and len(made) == 1 and len(zipfile.ZipFile(one).namelist()) == 3


def test_a_shared_result_outlives_its_visitor(finished: Finished, pipeline) -> None:
    token = sharing.keep(finished, pipeline.head)
    visitors.forget("one")
    seen = adopt(sharing.open_shared(token), visitors.new_folder("two"))
    assert [head.label for head in seen.heads] == ["Face 1", "Face 2"] and seen.restored.is_file()
    assert export(seen, 1, "gltf", pipeline.head).is_file()
    assert not sharing.open_shared(token).folder.is_relative_to(limits.private_root())


@pytest.mark.parametrize("token", ["", "..", "../visitors/x", "A" * 22, "x/../../../etc", "." + "A" * 22])
def test_a_wrong_link_opens_nothing(token: str) -> None:
    with pytest.raises(GoneError, match="not valid"):
        sharing.open_shared(token)


def test_a_link_ends(finished: Finished, pipeline) -> None:
    token = sharing.keep(finished, pipeline.head)
    folder = sharing.open_shared(token).folder
    os.utime(folder, (time.time() - limits.SHARED_SECONDS - 5,) * 2)
    with pytest.raises(GoneError):
        sharing.open_shared(token)
    sharing.sweep()
    assert not folder.exists()


def test_the_shelf_holds_the_last(finished: Finished) -> None:
    shelf = Shelf(most=2)
    keys = [shelf.put(finished) for _ in range(3)]
    with pytest.raises(GoneError):
        shelf.get(keys[0])
    assert shelf.get(keys[2]) is finished
    visitors.forget("one")
    with pytest.raises(GoneError):
        shelf.get(keys[2])


def test_the_chosen_face_fills_the_form(pipeline, photo: Path) -> None:
    seen: Seen = photo_work.look(Engine(pipeline), str(photo))
    assert len(seen.faces) == len(seen.portraits) == 2
    assert photo_work.chosen_person(seen, "all") is None
    assert photo_work.chosen_person(seen, "1") in seen.people
    assert isinstance(seen.people[1], Demographics)
    assert photo_work.face_choices(2)[0] == ("All 2 faces", "all")


def test_a_correction_is_offered_where_a_network_said_who_it_is(finished: Finished, pipeline) -> None:
    with gr.Blocks():
        shown = PhotoTab(Engine(pipeline), Shelf(), []).results
    guess = replace(finished.heads[0], estimated=True)
    shared = replace(finished, reconstructions=None)  # of another visitor: there is nothing to run again
    cases = ((finished, guess), (finished, replace(guess, estimated=False)), (shared, guess))
    seen = [shown._head(*each, False)[shown.correct].visible for each in cases]
    assert seen == [True, False, False]
