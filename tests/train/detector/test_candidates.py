"""The landmarker is given what the detector found, and told truly which of it are faces."""

from __future__ import annotations

import numpy as np
import pytest

from facerecon.faces.landmarker import Landmarks
from facerecon.faces.views import Candidates
from facerecon.types import FaceReconError
from tests.train.detector.test_scenes import landmarks_68
from train.detector import candidates
from train.detector.boxes import face_box, five_points
from train.detector.candidates import MOST_RIGHT, MOST_WRONG, STORED, CandidateCutter
from train.detector.data import enlarged, mirrored
from train.detector.scenes import Scene

HIDDEN = landmarks_68((250, 60), 50)


class Scripted:
    """Finds a face a little aside, what is no face as often as wanted, half a face and something unlikely."""

    def __init__(self, mistakes=1):
        self.mistakes = mistakes

    def look(self, views, smallest):
        face, aside = landmarks_68((80, 80), 60) + 2, landmarks_68((80, 104), 60)
        wrong = [landmarks_68((60 + 30 * i, 250), 25) for i in range(self.mistakes)]
        sights = [face, aside, landmarks_68((250, 160), 40), HIDDEN, *wrong]
        scores = np.array([0.9, 0.8, 0.05, 0.8] + [0.3 + 0.05 * i for i in range(len(wrong))])
        seen = Candidates(np.stack([face_box(s) for s in sights]), np.stack([five_points(s) for s in sights]), scores)
        return [seen] * len(views)


class Landmarker:
    def predict(self, image, places, mirrored):
        return Landmarks(np.stack([landmarks_68((200, 200), 60)] * len(places)), np.ones((len(places), 68)), np.ones(len(places)))


class OneScene:
    """A face in a picture, another that is hidden."""

    def scene(self, rng, size=None):
        scene = Scene(np.full((size or 320,) * 2 + (3,), 60, np.uint8))
        for place in (landmarks_68((80, 80), 60), HIDDEN):
            scene.add(place)
        scene.ignored[1] = True
        return scene


@pytest.fixture
def one_look(monkeypatch):
    monkeypatch.setattr(candidates, "composed_scene", lambda composer, rng: composer.scene(rng))
    return lambda mistakes=1: CandidateCutter(OneScene(), Scripted(mistakes), Landmarker()).crops(np.random.default_rng(0), 1)


def test_mistakes_have_no_landmarks_and_faces_have_theirs(one_look):
    crops = one_look()
    empty = [crop for crop, landmarks in crops if np.isnan(landmarks).all()]
    faces = [(crop, landmarks) for crop, landmarks in crops if np.isfinite(landmarks).all()]
    assert len(empty) == 2 and len(faces) == 1  # a mistake cut twice; half a face, a hidden one and an unlikely one count for nothing
    assert all(crop.shape == (STORED, STORED, 3) for crop, _ in crops)
    box = face_box(faces[0][1])
    middle = (box[:2] + box[2:]) / 2
    assert np.abs(middle - STORED / 2).max() < 0.15 * STORED and 0.3 * STORED < box[2] - box[0] < 0.9 * STORED


def test_one_scene_full_of_mistakes_is_not_everything(one_look):
    crops = one_look(9)
    assert sum(np.isnan(landmarks).all() for _, landmarks in crops) == 2 * MOST_WRONG
    assert sum(np.isfinite(landmarks).all() for _, landmarks in crops) <= MOST_RIGHT


@pytest.mark.parametrize("seen", [lambda scene: enlarged(scene, 640), mirrored])
def test_landmarks_follow_a_scene_that_is_enlarged_or_mirrored(seen):
    scene = seen(OneScene().scene(None, 320))
    for landmarks, box, points in zip(scene.landmarks, scene.boxes, scene.points, strict=True):
        assert np.allclose(face_box(landmarks), box, atol=1e-3) and np.allclose(five_points(landmarks), points, atol=1e-3)


def test_a_detector_without_any_finding_is_told(monkeypatch, tmp_path):
    class Nothing:
        def __init__(self, *args): ...
        def __enter__(self): return self
        def __exit__(self, *args): ...
        def imap(self, function, jobs): return ([] for _ in jobs)

    monkeypatch.setattr(candidates, "get_context", lambda kind: type("Context", (), {"Pool": Nothing}))
    with pytest.raises(FaceReconError, match="nothing was taken for a face"):
        candidates.candidates([], [], [], tmp_path / "out", 10, 0, 1)
    assert not (tmp_path / "out").exists()
