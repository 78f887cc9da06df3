"""How much landmarks count is read from scenes: where they tell faces from mistakes, they count."""

from __future__ import annotations

import numpy as np
import pytest

from facerecon.faces.landmarker import Landmarks
from facerecon.faces.views import Candidates
from tests.train.detector.test_scenes import landmarks_68
from train.detector import joint
from train.detector.boxes import face_box, five_points
from train.detector.export import THRESHOLD
from train.detector.scenes import Scene

FACE, THING = landmarks_68((90, 90), 110), landmarks_68((230, 230), 110)


class Composed:
    """Scenes with a face on the left, every second one without any."""

    def __init__(self):
        self.made = 0

    def __call__(self, composer, rng):
        scene, self.made = Scene(np.zeros((320, 320, 3), np.uint8)), self.made + 1
        if self.made % 2:
            scene.add(FACE)
        return scene


class Detector:
    """Sees a thing everywhere, and faces where they are; its scores say little."""

    def __init__(self, rng):
        self.rng = rng

    def look(self, views, smallest):
        sights = [[THING, FACE][: 1 + (i + 1) % 2] for i in range(len(views))]
        return [
            Candidates(np.stack([face_box(s) for s in seen]), np.stack([five_points(s) for s in seen]), self.rng.uniform(0.4, 0.8, len(seen)))
            for seen in sights
        ]


class Landmarker:
    """Expects a third of the error on the left, if that is what it is to know."""

    def __init__(self, rng, knows):
        self.rng, self.knows = rng, knows

    def predict(self, image, places, mirrored):
        low = [self.knows and place[2, 0] < 150 for place in places]
        spread = np.array([np.full(68, (4.0 if l else 12.0) * self.rng.uniform(0.5, 2)) for l in low])
        return Landmarks(np.stack([FACE] * len(places)), spread, np.ones(len(places)))


@pytest.mark.parametrize("knows", [True, False])
def test_landmarks_count_where_they_know_something(monkeypatch, knows, capsys):
    monkeypatch.setattr(joint, "composed_scene", Composed())
    rng = np.random.default_rng(0)
    first, second, constant = joint.joint_weights(None, Detector(rng), Landmarker(rng, knows), 480)
    assert (second < -1.5) if knows else abs(second) < 0.6
    assert '"faces": 240' in capsys.readouterr().out

    def score(seen, error):
        return first * np.log(seen / (1 - seen)) + second * joint.landmark_evidence(error, 110) + constant

    least = np.log(THRESHOLD / (1 - THRESHOLD))
    size = np.sqrt((FACE.max(0) - FACE.min(0)).prod())
    things = np.array([score(rng.uniform(0.4, 0.8), 12.0 * rng.uniform(0.5, 2) / size) for _ in range(400)])
    assert np.mean(things > least) == pytest.approx(joint.FALSE_SHARE, abs=0.03)
