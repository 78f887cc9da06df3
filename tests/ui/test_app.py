"""``python app.py``."""

from __future__ import annotations

import sys
import types

import pytest

import app
from facerecon.pipeline import FaceReconstructor


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
