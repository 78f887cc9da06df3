"""What the tabs show while they work, and after another photo came."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image as PillowImage

from facerecon.head.hair import NUMBERS, grow_hair
from facerecon.types import Demographics
from facerecon.ui import limits
from facerecon.ui.compare_tab import CompareTab, _differences
from facerecon.ui.engine import Engine, Seen
from facerecon.ui.lab_tab import LabTab
from facerecon.ui.lab_work import DAMAGES, FIRST_FOUR
from facerecon.ui.photo_tab import PhotoTab
from facerecon.ui.results import Finished
from facerecon.ui.shelf import Shelf
from facerecon.ui.statistics import EMPTY
from tests.fakes import make_face, make_photo

VISITOR = SimpleNamespace(session_hash="one")
NOBODY = (True, False, 35, "", "", "", None)  # the form as it is at first


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))


@pytest.fixture
def upload(tmp_path) -> str:
    """A visitor's photo."""
    PillowImage.fromarray(make_photo(240, 240)).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


def percents(news: list[dict], message: gr.HTML) -> list[int]:
    """What the bar said, one after the other."""
    return [int(n) for each in news for n in re.findall(r'aria-valuenow="(\d+)"', str(each.get(message, "")))]


def test_the_lab_says_how_far_it_is_and_shows_each_picture_at_once(pipeline, upload: str) -> None:
    with gr.Blocks():
        tab = LabTab(Engine(pipeline), [])
    settings = [value for name in FIRST_FOUR for value in (name, DAMAGES[name].start)]
    news = list(tab._run(upload, 0.7, *settings))
    assert percents(news, tab.message) == [0, 0, 25, 50, 75] and news[-1][tab.message] == ""
    shown = [number for each in news for number, slider in enumerate(tab.sliders) if slider in each]
    assert shown == [0, 1, 2, 3]
    assert not news[0][tab.go].interactive and news[-1][tab.go].interactive


def test_comparing_says_how_far_it_is(pipeline, upload: str) -> None:
    with gr.Blocks():
        tab = CompareTab(Engine(pipeline), [])
    calls = len(pipeline.restorer.calls)
    news = list(tab._run(VISITOR, upload, False, *NOBODY))
    assert percents(news, tab.message) == [0, 17, 33, 50, 67, 83, 100]
    assert "mm" in news[-1][tab.difference] and news[-1][tab.go].interactive
    assert len(pipeline.restorer.calls) == calls + 2  # the face and its surroundings, once for both heads


def test_heads_are_compared_without_their_hair(pipeline, tmp_path) -> None:
    (bald,) = pipeline.reconstructor.reconstruct([make_photo()], [make_face(10, 10, 60)], [None], [None])
    hair = np.full(NUMBERS, 0.1, np.float32)
    hairy = replace(bald, parameters=replace(bald.parameters, hair=hair), vertices=grow_hair(bald.vertices, hair, pipeline.head))
    told = _differences(*(Finished(tmp_path, {}, [], [head]) for head in (hairy, bald)), pipeline.head)
    assert list(told.values()) == ["0.0 mm", "0.0 mm", "+0.0 mm"]


@pytest.mark.parametrize("kind", [LabTab, CompareTab])
def test_an_error_gives_the_button_back(kind: type, pipeline, tmp_path) -> None:
    with gr.Blocks():
        tab = kind(Engine(pipeline), [])
    (tmp_path / "bad.png").write_text("no picture")
    given = (str(tmp_path / "bad.png"), 0.7, "Noise", 9) if kind is LabTab else (VISITOR, str(tmp_path / "bad.png"), False, *NOBODY)
    *_, last = tab._run(*given)
    assert "is not a picture" in last[tab.message] and last[tab.go].interactive


@pytest.mark.parametrize("count, words", [(1, "One face was"), (3, "3 faces were"), (8, "the 8 largest are taken")])
def test_a_photo_says_what_was_found_and_what_to_do(count: int, words: str, pipeline, upload: str) -> None:
    with gr.Blocks():
        tab = PhotoTab(Engine(pipeline), Shelf(), [])
    faces = [make_face(10, 10, 60)] * count
    tab.engine.look = lambda _: Seen(faces, [make_photo(20, 20)] * count, [Demographics()] * count)
    shown = tab._look(upload, True)
    assert words in shown[tab.found] and "Press" in shown[tab.found] and shown[tab.go].interactive


def test_a_photo_that_is_too_large_is_to_be_made_smaller(pipeline, upload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_UPLOAD_PIXELS", 100)
    with gr.Blocks():
        tab = PhotoTab(Engine(pipeline), Shelf(), [])
    shown = tab._look(upload, True)
    assert "smaller copy" in shown[tab.found] and "JPEG" not in shown[tab.found] and not shown[tab.go].interactive


@pytest.mark.parametrize("kind", [PhotoTab, LabTab, CompareTab])
def test_the_page_scrolls_before_a_run_not_after_it(kind: type, pipeline) -> None:
    with gr.Blocks() as page:
        engine = Engine(pipeline)
        tab = PhotoTab(engine, Shelf(), []) if kind is PhotoTab else kind(engine, [])
    first, run = [each for each in page.fns.values() if (tab.go._id, "click") in each.targets]
    assert "scrollIntoView" in first.js and first.fn is None and run.fn is not None  # gradio does one after the other


@pytest.mark.parametrize("kind", [PhotoTab, LabTab, CompareTab])
def test_another_photo_ends_what_is_under_way(kind: type, pipeline) -> None:
    with gr.Blocks() as page:
        engine = Engine(pipeline)
        tab = PhotoTab(engine, Shelf(), []) if kind is PhotoTab else kind(engine, [])
    ended = {number for each in page.fns.values() if (tab.photo._id, "change") in each.targets for number in each.cancels}
    buttons = [tab.go]
    if kind is PhotoTab:
        files = tab.results.files
        buttons += [files.share, *(files.buttons[name] for name in ("zip", "mp4", "obj"))]
    for button in buttons:
        work = [each._id for each in page.fns.values() if (button._id, "click") in each.targets and each.fn is not None]
        assert work and ended >= set(work)


def test_a_file_that_fails_downloads_no_other(pipeline) -> None:
    with gr.Blocks():
        files = PhotoTab(Engine(pipeline), Shelf(), []).results.files
    first, *_, last = files._maker("obj")("nobody's", None)
    assert first[files.made].value is None and files.made not in last and "no longer kept" in last[files.problem]


def test_comparing_says_what_is_wrong_beside_the_photo(pipeline, tmp_path) -> None:
    with gr.Blocks():
        tab = CompareTab(Engine(pipeline), [])
    (tmp_path / "bad.png").write_text("no picture")
    shown = tab._look(str(tmp_path / "bad.png"), True)
    assert "is not a picture" in shown[tab.found] and not shown[tab.go].interactive


def test_another_photo_empties_the_tabs(pipeline) -> None:
    with gr.Blocks():
        engine = Engine(pipeline)
        photo, lab, compare = PhotoTab(engine, Shelf(), []), LabTab(engine, []), CompareTab(engine, [])
    emptied = photo._empty(True)
    results = photo.results
    assert set(results.outputs) <= set(emptied)  # nothing of the former result stays
    assert emptied[results.key] is None and emptied[results.slider] is None and emptied[results.figures] == EMPTY
    assert emptied[results.view.view] is None
    for button in (results.files.restored, results.files.share, *results.files.buttons.values()):
        assert not emptied[button].interactive
    assert all(emptied[results.files.buttons[kind]].value is None for kind in ("glb", "json"))
    emptied = compare._empty(True)
    assert emptied[compare.with_view.view] is None and emptied[compare.difference] == ""
    emptied = lab._empty()
    assert all(emptied[slider] is None for slider in lab.sliders) and lab.go in emptied
