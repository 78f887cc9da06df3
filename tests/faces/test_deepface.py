"""DeepFace's detectors speak our language, and say clearly what is missing."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from facerecon.faces import create_detector
from facerecon.faces.deepface import DeepFaceDetector
from facerecon.types import FaceReconError

AREA = {"x": 10, "y": 20, "w": 40, "h": 50, "left_eye": (42, 40), "right_eye": (22, 40), "nose": (32, 50), "mouth_left": (40, 60), "mouth_right": (24, 60)}
PHOTO = np.zeros((100, 100, 3), np.uint8)


def answer(*found):
    return lambda **_: [{"facial_area": area, "confidence": score} for area, score in found]


def test_left_and_right_become_the_pictures():
    (face,) = DeepFaceDetector(answer((AREA, 0.9)), "retinaface").detect(PHOTO)
    assert face.points.tolist() == [[22, 40], [42, 40], [32, 50], [24, 60], [40, 60]]
    assert face.box.tolist() == [10, 20, 50, 70] and face.score == 0.9


@pytest.mark.parametrize("missing", [("nose", "mouth_left", "mouth_right"), ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")])
def test_missing_points_are_placed(missing):
    area = {key: None if key in missing else value for key, value in AREA.items()}
    (face,) = DeepFaceDetector(answer((area, 0.9)), "ssd").detect(PHOTO)
    left, right, nose, mouth_left, mouth_right = face.points
    assert left[0] < nose[0] < right[0] and mouth_left[0] < mouth_right[0]
    assert left[1] < nose[1] < mouth_left[1] < face.box[3]


def test_doubtful_and_small_faces_are_left_out_and_the_largest_comes_first():
    small = {**AREA, "w": 12, "h": 12}
    large = {**AREA, "w": 80, "h": 80}
    detector = DeepFaceDetector(answer((AREA, 0.9), (small, 0.99), (large, 0.9), (AREA, 0.3)), "yunet")
    assert [round(face.size) for face in detector.detect(PHOTO)] == [80, 45]


def test_unreachable_weights_are_said():
    def offline(**_):
        raise OSError("Name or service not known")

    with pytest.raises(FaceReconError, match="cannot be fetched"):
        DeepFaceDetector(offline, "retinaface").detect(PHOTO)


def test_an_unknown_backend_is_said():
    with pytest.raises(FaceReconError, match="magic"):
        create_detector("deepface:magic")


def test_a_missing_package_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "deepface", None)
    with pytest.raises(FaceReconError, match="pip install deepface"):
        create_detector("deepface:retinaface")
