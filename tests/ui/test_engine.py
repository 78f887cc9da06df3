"""The pipeline behind the page."""

from __future__ import annotations

import sys
import types

import pytest

from facerecon.types import FaceReconError
from facerecon.ui.engine import Step, follow, on_gpu
from facerecon.ui.errors import UNEXPECTED, alert
from facerecon.ui.limits import LargestFaces
from tests.fakes import FakeDetector, make_face, make_photo


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
