"""``python app.py``."""

from __future__ import annotations

import socket
import sys
import types

import gradio as gr
import pytest

import app
from facerecon.pipeline import FaceReconstructor


@pytest.mark.parametrize("port", [None, 99999])
def test_a_page_that_cannot_be_served_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys, port: int | None) -> None:
    with gr.Blocks() as page:
        pass
    monkeypatch.setattr(app, "build_page", lambda *_, **__: page)
    monkeypatch.setattr(app, "launch_options", dict)
    monkeypatch.setattr(FaceReconstructor, "load", lambda pipeline: None)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setattr(sys, "argv", ["app.py", "--port", str(port or other.getsockname()[1])])
        assert app.main() == 1
    told = capsys.readouterr().err
    assert told.startswith("The page cannot be served: ") and told.count("\n") == 1


def test_every_network_runs_on_the_device_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    served = []

    def build(pipeline: FaceReconstructor, *_: object, **__: object) -> types.SimpleNamespace:
        served.append(pipeline)
        return types.SimpleNamespace(launch=lambda **_: None)

    monkeypatch.setattr(app, "build_page", build)
    monkeypatch.setattr(FaceReconstructor, "load", lambda pipeline: None)
    monkeypatch.setattr(sys, "argv", ["app.py", "--device", "meta"])
    assert app.main() == 0
    (pipeline,) = served
    refined = pipeline.detector.detector
    assert pipeline.device == "meta"
    assert refined.detector.device.type == refined.landmarker.device.type == "meta"
