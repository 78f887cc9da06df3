from __future__ import annotations

from dataclasses import replace

import numpy as np

from facerecon.faces.refined import RefinedDetector
from tests.fakes import make_face


class Finder:
    def __init__(self, faces):
        self.faces = faces

    def detect(self, image):
        return self.faces


class Mover:
    """Moves all points to the right by as much as the photo is wide."""

    def refine(self, image, faces):
        return [replace(face, points=face.points + (image.shape[1], 0)) for face in faces]


def test_points_are_the_landmarkers_and_all_else_the_detectors():
    faces = [make_face(10, 10, 40), make_face(60, 20, 30)]
    image = np.zeros((90, 120, 3), np.uint8)
    seen = RefinedDetector(Finder(faces), Mover()).detect(image)
    (again,) = RefinedDetector(Finder(faces), Mover()).detect_all([image])
    assert all((a.points == b.points).all() for a, b in zip(seen, again, strict=True))
    for before, after in zip(faces, seen, strict=True):
        assert np.allclose(after.points, before.points + (120, 0))
        assert (after.box == before.box).all() and after.score == before.score


def test_where_no_face_is_found_no_weights_are_needed():
    assert RefinedDetector(Finder([])).detect(np.zeros((9, 9, 3), np.uint8)) == []


class Doubter:
    """Sees landmarks in the first face alone."""

    def refine(self, image, faces):
        return [replace(face, landmarks=face.points) if i == 0 else face for i, face in enumerate(faces)]


def test_what_passes_below_the_threshold_must_be_a_face_to_the_landmarks():
    image = np.zeros((90, 120, 3), np.uint8)
    likely, less = make_face(10, 10, 40, score=0.9), make_face(60, 20, 30, score=0.7)
    finder = Finder([likely, less])
    finder.threshold = 0.85
    assert [face.score for face in RefinedDetector(finder, Doubter()).detect(image)] == [0.9]
    finder.faces = [less, likely]
    assert [face.score for face in RefinedDetector(finder, Doubter()).detect(image)] == [0.7, 0.9]
