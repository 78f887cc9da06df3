"""The pipeline behind the page."""

from __future__ import annotations

import sys
import threading
import types
from queue import SimpleQueue

import pytest

from facerecon.pipeline import FaceReconstructor
from facerecon.types import FaceReconError
from facerecon.ui.engine import Engine, LeftError, Step, follow, on_gpu
from facerecon.ui.errors import UNEXPECTED, alert
from facerecon.ui.limits import LargestFaces
from tests.fakes import FakeDetector, FakeRestorer, make_face, make_photo


def test_steps_come_before_the_result() -> None:
    def work(listen):
        listen("find", None)
        listen("find", 0.5)
        return 7

    assert list(follow(work)) == [Step("find", None), Step("find", 0.5), 7]


def test_an_error_of_the_work_comes_through() -> None:
    def work(listen):
        raise FaceReconError("Nothing there.")

    with pytest.raises(FaceReconError, match="Nothing there"):
        list(follow(work))


def test_work_that_nobody_waits_for_ends_with_its_step() -> None:
    go_on, ended = threading.Event(), SimpleQueue()

    def work(listen):
        listen("find", None)
        go_on.wait(10)
        try:
            listen("find", 0.5)
        except LeftError as error:
            ended.put(error)
            raise

    steps = follow(work)
    assert next(steps) == Step("find", None)
    steps.close()  # at once, though the work goes on
    go_on.set()
    assert isinstance(ended.get(timeout=10), LeftError)


def test_the_networks_do_one_thing_at_a_time_even_when_a_visitor_leaves() -> None:
    go_on, ended = threading.Event(), []

    class Slow(FaceReconstructor):
        def run(self, *_, on_step, **__):
            on_step("find", None)
            go_on.wait(10)
            ended.append("run")

    engine = Engine(Slow(FakeDetector(), FakeRestorer()))
    steps = engine.run(make_photo(), None, 0.7, 1, "all", None)
    next(steps)
    steps.close()
    others = [
        threading.Thread(target=lambda: ended.append(engine.restore(make_photo(), 1.0, 1, "all"))),
        threading.Thread(target=lambda: ended.append(engine.restore_known([make_photo()], make_face(9, 9, 60), 1.0))),
    ]
    for other in others:
        other.start()
        other.join(0.3)
    go_on.set()
    for other in others:
        other.join(30)
    assert len(ended) == 3 and ended[0] == "run"


def test_a_lent_gpu_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    lent = types.SimpleNamespace(GPU=lambda duration: lambda call: lambda *given: ("on a GPU", call(*given)))
    monkeypatch.setitem(sys.modules, "spaces", lent)
    assert on_gpu(lambda x: x + 1)(1) == ("on a GPU", 2)
    monkeypatch.setitem(sys.modules, "spaces", None)
    assert on_gpu(lambda x: x + 1)(1) == 2


def test_a_crowd_is_capped() -> None:
    crowd = [make_face(0, 0, side) for side in range(10, 40)]
    found = LargestFaces(FakeDetector(crowd), most=3).detect(make_photo())
    assert [round(face.size) for face in found] == [39, 38, 37]


def test_visitors_read_sentences(caplog: pytest.LogCaptureFixture) -> None:
    assert "&lt;b&gt;.png is empty." in alert(FaceReconError("<b>.png is empty."))
    assert UNEXPECTED in alert(KeyError("secret")) and "secret" in caplog.text
