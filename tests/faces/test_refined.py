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

    def refine(self, image, faces, threshold):
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


class Listener:
    """Notes from which score on a face needs no second opinion."""

    def refine(self, image, faces, threshold):
        self.threshold = threshold
        return faces


def test_what_passes_below_the_detectors_threshold_is_judged_by_the_landmarks():
    finder, listener, image = Finder([make_face(10, 10, 40)]), Listener(), np.zeros((90, 120, 3), np.uint8)
    RefinedDetector(finder, listener).detect(image)
    assert listener.threshold == 0.0
    finder.threshold = 0.85
    RefinedDetector(finder, listener).detect_all([image])
    assert listener.threshold == 0.85
