from __future__ import annotations

import cv2
import numpy as np
import pytest

from facerecon.faces.boxes import overlaps
from facerecon.video.flow import follow_face, grey_picture
from facerecon.video.scenes import SceneCuts
from facerecon.video.tracks import FaceTracker, corrected
from tests.fakes import make_face
from tests.video.clips import SIDE, PatchDetector, picture, stroll


def test_flow_follows_a_face_to_a_fraction_of_a_pixel():
    face = make_face(40, 30, SIDE)
    (before, scale), (after, _) = grey_picture(picture({1: (40, 30)})), grey_picture(picture({1: (43.5, 28.25)}))
    moved = follow_face(before, after, scale, face)
    assert np.abs(moved.points - face.points - (3.5, -1.75)).max() < 0.3
    assert moved.size == pytest.approx(face.size, rel=0.03)


def test_flow_says_so_when_the_face_is_gone():
    (before, scale), (after, _) = grey_picture(picture({1: (40, 30)})), grey_picture(picture({2: (40, 30)}, ground=200))
    assert follow_face(before, after, scale, make_face(40, 30, SIDE)) is None


def test_the_detector_looks_rarely_and_the_track_stays_on_the_face():
    detector = PatchDetector()
    tracker = FaceTracker(detector, every=5)
    truth = PatchDetector()
    for image in stroll(40):
        (seen,) = tracker.update(image)
        (expected,) = truth.detect(image)
        assert seen.track == 0 and overlaps([seen.face.box], [expected.box]).item() > 0.85
    assert detector.looks <= 9


def test_two_faces_keep_their_numbers_and_a_cut_starts_new_ones():
    tracker = FaceTracker(PatchDetector(), every=3)
    for t in range(12):
        seen = tracker.update(picture({1: (4 + t, 10), 2: (80 - t, 50)}))
        assert [s.track for s in sorted(seen, key=lambda s: s.face.box[1])] == [0, 1]
    (after,) = tracker.update(picture({3: (16, 12)}, ground=250))
    assert after.track == 2 and after.detected and tracker.scene == 1


def test_a_face_hidden_for_a_moment_comes_back_under_its_number():
    tracker = FaceTracker(PatchDetector(), every=2)
    for t in range(20):
        hidden = 6 <= t < 12
        seen = tracker.update(picture({} if hidden else {1: (40, 30)}))
        assert [s.track for s in seen] == ([0] if not hidden or (t < 8 and seen) else [])


def test_a_state_goes_on_as_if_there_had_been_no_break():
    images = list(stroll(24, cut=17))
    straight = FaceTracker(PatchDetector(), every=4)
    expected = [straight.update(image) for image in images]
    for stop in (1, 6, 17, 18):
        first, second = FaceTracker(PatchDetector(), every=4), FaceTracker(PatchDetector(), every=4)
        for image in images[:stop]:
            first.update(image)
        second.restore(first.state())
        for image, there in zip(images[stop:], expected[stop:]):
            for a, b in zip(second.update(image), there, strict=True):
                assert (a.track, a.detected) == (b.track, b.detected)
                assert np.array_equal(a.face.points, b.face.points) and np.array_equal(a.face.box, b.face.box)
        assert second.scene == straight.scene == 1


def test_cuts_are_noticed_and_motion_is_none():
    cuts = SceneCuts()
    found = [t for t, image in enumerate(stroll(30, cut=13)) if cuts.update(image)]
    assert found == [13]
    wall = cv2.resize(np.random.default_rng(0).integers(0, 255, (6, 40, 3), np.uint8), (640, 96))
    panning = SceneCuts()
    assert not any(panning.update(wall[:, 12 * t : 12 * t + 128]) for t in range(40))


class Landmarks:
    """Knows where the patch is; stops knowing when it is told to."""

    def __init__(self):
        self.detector, self.sure, self.calls = PatchDetector(), 1.0, 0

    def predict(self, image, faces, looks, mirrored):
        from types import SimpleNamespace

        self.calls += 1
        points = np.zeros((len(faces), 68, 2))
        for row, face in enumerate(faces):
            there = min(self.detector.detect(image), key=lambda f: np.abs(f.points - face.points).sum())
            points[row, 36:42], points[row, 42:48] = there.points[0], there.points[1]
            points[row, [30, 48, 54]] = there.points[2:]
        spread = np.ones((len(faces), 68))
        return SimpleNamespace(points=points, spread=spread, confidence=np.full(len(faces), self.sure))


def test_landmarks_follow_a_face_that_flow_loses_until_they_are_unsure_too(monkeypatch):
    detector, landmarks, truth = PatchDetector(), Landmarks(), PatchDetector()
    tracker = FaceTracker(detector, every=100, landmarker=landmarks)
    monkeypatch.setattr("facerecon.video.tracks.follow_face", lambda *_: None)
    for image in stroll(20):
        (seen,) = tracker.update(image)
        (expected,) = truth.detect(image)
        assert seen.track == 0 and overlaps([seen.face.box], [expected.box]).item() > 0.95
        assert np.abs(seen.face.points - expected.points).max() < 0.5
    assert detector.looks == 1 and landmarks.calls == 19
    landmarks.sure = 0.0
    (seen,) = tracker.update(image)
    assert seen.detected and seen.track == 0 and detector.looks == 2


def test_landmarks_take_the_drift_out_of_flow(monkeypatch):
    tracker, truth = FaceTracker(PatchDetector(), every=100, landmarker=Landmarks()), PatchDetector()
    drift = lambda before, after, scale, face: corrected(face, face.points + 1.0, 1.0)  # noqa: E731
    monkeypatch.setattr("facerecon.video.tracks.follow_face", drift)
    for _ in range(20):
        (seen,) = tracker.update(picture({1: (40, 30)}))
    (expected,) = truth.detect(picture({1: (40, 30)}))
    assert np.abs(seen.face.points - expected.points).max() < 3
