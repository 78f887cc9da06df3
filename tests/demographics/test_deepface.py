"""DeepFace behind our own interface, with a stand-in for its one function."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from facerecon.demographics.deepface import DeepFaceLabeller
from facerecon.types import FaceReconError
from tests.fakes import make_face, make_photo

ANSWER = [
    {
        "age": 31,
        "dominant_gender": "Woman",
        "gender": {"Woman": 91.0, "Man": 9.0},
        "dominant_race": "black",
        "race": {"asian": 1, "indian": 4, "black": 80, "white": 5, "middle eastern": 4, "latino hispanic": 6},
    }
]


def test_its_answer_in_our_words() -> None:
    seen: list[dict] = []

    def analyze(**arguments):
        seen.append(arguments)
        return ANSWER

    photo = make_photo()
    photo[..., 0] = 200  # red
    (estimate,) = DeepFaceLabeller(analyze).predict([photo], [make_face(40, 30, 60)])
    assert (estimate.age, estimate.dominant_gender, estimate.dominant_race) == (31, "female", "African")
    assert estimate.confidence == pytest.approx(0.91 * 0.8)
    assert np.isnan(estimate.age_std)
    assert seen[0]["detector_backend"] == "skip" and seen[0]["img_path"][..., 2].min() == 200  # blue, green, red


def test_weights_that_cannot_be_fetched_are_one_sentence() -> None:
    def analyze(**_):
        raise ValueError("An exception occurred while downloading age.onnx from https://...")

    with pytest.raises(FaceReconError, match=r"weights cannot be fetched.*--backend facerecon needs nothing more\.$"):
        DeepFaceLabeller(analyze).predict([make_photo()])


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deepface", None)
    with pytest.raises(FaceReconError, match="not installed: run pip install deepface"):
        DeepFaceLabeller.from_pretrained()
