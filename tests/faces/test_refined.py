from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facerecon.faces.refined import RefinedDetector
from facerecon.faces.views import Candidates, ViewingDetector
from tests.fakes import make_face


class Finder:
    def __init__(self, faces):
        self.faces = faces

    def detect(self, image):
        return self.faces


class Mover:
    """Moves all points to the right by as much as the photo is wide."""

    def refine(self, image, faces, joint_score):
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
    """Notes how scores are to be joined."""

    def refine(self, image, faces, joint_score):
        self.joint_score = joint_score
        return faces


def test_landmarks_have_a_say_where_the_detector_gives_them_one():
    listener, looks = Listener(), [((100, 100, 100), 0.9)]
    RefinedDetector(Finder([make_face(10, 10, 40)]), listener).detect(PHOTO)
    assert listener.joint_score is None
    deaf = Looker(looks)
    deaf.joint_score = None
    RefinedDetector(deaf, listener).detect(PHOTO)
    assert listener.joint_score is None
    RefinedDetector(Looker(looks), listener).detect_all([PHOTO])
    assert listener.joint_score == Looker.joint_score


class Looker(ViewingDetector):
    """Sees in each of its looks what it is told: places and scores."""

    worth_verifying, joint_score = 0.35, staticmethod(max)

    def __init__(self, *looks):
        super().__init__(threshold=0.85, min_face=20)
        self.looks = list(looks)

    def look(self, views, smallest):
        seen = self.looks.pop(0) if self.looks else []
        faces = [make_face(*place) for place, _ in seen]
        boxes, points = (np.array([getattr(face, name) for face in faces]) for name in ("box", "points"))
        return [Candidates(boxes.reshape(-1, 4), points.reshape(-1, 5, 2), np.array([score for _, score in seen]))] * len(views)


class Judge:
    """Takes what is under 40 pixels for no face, and trusts its landmarks in whatever is over 60."""

    def __init__(self):
        self.asked = []

    def refine(self, image, faces, joint_score):
        self.asked.append(len(faces))
        judged = [face if face.size > 40 else replace(face, score=0.01) for face in faces]
        return [replace(face, landmarks=np.zeros((68, 2), np.float32)) if face.size > 60 else face for face in judged]


PHOTO = np.zeros((320, 320, 3), np.uint8)


def test_where_the_landmarks_see_no_face_the_detector_goes_on_looking():
    looks = [((10, 10, 30), 0.9)], [((200, 200, 80), 0.9)]
    assert [face.size for face in Looker(*looks).detect(PHOTO)] == [pytest.approx(30, abs=1)]
    judge = Judge()
    (found,) = RefinedDetector(Looker(*looks), judge).detect(PHOTO)
    assert found.size > 60 and judge.asked[:2] == [1, 1]


def test_a_doubtful_face_that_fills_the_photo_passes_where_its_landmarks_are_trusted():
    doubtful = [((100, 100, 100), 0.4)]
    assert Looker(doubtful).detect(PHOTO) == []
    (found,) = RefinedDetector(Looker(doubtful), Judge()).detect(PHOTO)
    assert found.score == pytest.approx(0.4) and found.landmarks is not None
    assert RefinedDetector(Looker([((100, 100, 50), 0.4)]), Judge()).detect(PHOTO) == []


def test_unlikely_candidates_are_not_judged():
    judge = Judge()
    RefinedDetector(Looker([((100, 100, 100), 0.9), ((20, 20, 50), 0.3)]), judge).detect(PHOTO)
    assert judge.asked[0] == 1


@pytest.mark.parametrize(("score", "turns"), [(0.8, False), (0.97, True)])
def test_a_face_on_its_side_must_be_much_surer_than_one_upright(score, turns):
    upright, turned = [((100, 100, 100), 0.7)], [((212, 212, 120), score)]
    (found,) = Looker(upright, [], turned).detect(PHOTO)
    assert found.score == pytest.approx(score if turns else 0.7)
