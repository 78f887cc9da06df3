from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facerecon.checkpoints import CheckpointError
from facerecon.faces.landmarker import FaceLandmarker
from facerecon.faces.mouth import LIP_PAIRS, SHUT_GAP, MouthConfig, MouthNetwork, MouthReader, cut_mouth, lip_gap, mouth_matrix, shut_lips
from facerecon.images import load_image
from facerecon.pipeline import FaceReconstructor

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def face_with_gap(gap: float, tilt: float = 0.0) -> np.ndarray:
    """68 points whose eyes are 100 pixels apart and whose inner lips are ``gap`` pixels apart, turned by ``tilt`` radians."""
    points = np.zeros((68, 2))
    points[36], points[45] = (-50, -40), (50, -40)
    points[48], points[54], points[51], points[57] = (-30, 40), (30, 40), (0, 30), (0, 52)
    points[60], points[64] = (-27, 40), (27, 40)
    for (upper, lower), x in zip(LIP_PAIRS, (-12, 0, 12)):
        points[upper], points[lower] = (x, 38), (x, 38 + gap)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return points @ turn.T + 100


def test_lips_of_a_shut_mouth_meet_and_those_of_an_open_one_stay():
    points = np.stack([face_with_gap(8.0)] * 3)
    shut, half, wide = shut_lips(points, np.array([0.1, 0.5, 0.9]))
    assert lip_gap(shut) == pytest.approx(SHUT_GAP)
    assert lip_gap(half) == pytest.approx((SHUT_GAP + 0.08) / 2)
    assert np.array_equal(wide, points[2])
    others = [i for i in range(68) if i not in np.ravel(LIP_PAIRS)]
    assert np.array_equal(shut[others], points[0][others])
    # They meet between where both were seen, nearer to the upper lip.
    assert points[0][62, 1] < shut[62, 1] < shut[66, 1] < points[0][[62, 66], 1].mean()


def test_shutting_twice_or_shutting_touching_lips_changes_nothing():
    once = shut_lips(face_with_gap(8.0)[None], np.zeros(1))
    assert np.allclose(shut_lips(once, np.zeros(1)), once)
    touching = face_with_gap(0.0)[None]
    assert np.array_equal(shut_lips(touching, np.zeros(1)), touching)


def test_the_crop_is_level_and_takes_no_notice_of_the_inner_lips():
    photo = np.zeros((200, 200, 3), np.uint8)
    for tilt in (0.0, 0.5):
        points = face_with_gap(6.0, tilt)
        matrix = mouth_matrix(points, 48)
        left, right = (matrix[:, :2] @ points[i] + matrix[:, 2] for i in (48, 54))
        assert left[1] == pytest.approx(right[1]) and 0 < left[0] < right[0] < 48
        assert np.allclose(matrix, mouth_matrix(face_with_gap(0.0, tilt), 48))
    assert cut_mouth(photo, points, 48).shape == (48, 48, 3)


def test_corners_that_coincide_still_give_a_crop():
    points = face_with_gap(4.0)
    points[54] = points[48]
    assert np.isfinite(mouth_matrix(points, 48)).all()


@pytest.fixture(scope="module")
def portraits():
    """A smile that shows teeth, and shut lips; photos and faces."""
    detector = FaceReconstructor().detector
    images = [load_image(EXAMPLES / name) for name in ("astronaut.jpg", "hopper.jpg")]
    return images, [detector.detect(image)[0] for image in images]


def test_teeth_are_told_from_shut_lips_also_in_the_mirror(portraits):
    images, faces = portraits
    reader, landmarks = MouthReader.from_pretrained(), np.stack([face.landmarks for face in faces])
    smiling, shut = reader.open_chance(images, landmarks)
    assert smiling > 0.9 and shut < 0.2
    mirrored = landmarks[0].copy()
    mirrored[:, 0] = images[0].shape[1] - 1 - mirrored[:, 0]
    mirrored[[48, 54, 36, 45]] = mirrored[[54, 48, 45, 36]]
    assert reader.open_chance([images[0][:, ::-1]], mirrored[None])[0] == pytest.approx(smiling, abs=0.02)


def test_faces_come_with_lips_that_touch_where_the_mouth_is_shut(portraits):
    _, (smiling, shut) = portraits
    assert lip_gap(smiling.landmarks) > 0.03
    assert lip_gap(shut.landmarks) < 0.01


def test_no_faces_are_no_trouble():
    assert MouthReader(MouthNetwork()).open_chance([], np.zeros((0, 68, 2))).shape == (0,)


def test_the_landmarker_settles_lips_and_does_without(portraits):
    image, face = (part[0] for part in portraits)
    torch.manual_seed(0)
    network = MouthNetwork(MouthConfig(image_size=16, channels=(4, 4, 4, 4), hidden=4))
    landmarker = FaceLandmarker.from_pretrained()
    landmarker.mouth = None
    plain = landmarker.predict(image, [face]).points
    for bias, gap in ((-20.0, SHUT_GAP), (20.0, lip_gap(plain)[0])):
        network.read[-1].bias.data.fill_(bias)
        landmarker.mouth = MouthReader(network)
        assert lip_gap(landmarker.predict(image, [face]).points)[0] == pytest.approx(gap, rel=1e-3)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "mouth.safetensors").write_bytes(b"no network")
    with pytest.raises(CheckpointError, match="mouth"):
        MouthReader.from_pretrained(path=tmp_path)
