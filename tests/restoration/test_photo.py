"""Faces of any size are cut out, restored and pasted back."""

import numpy as np
import pytest
import torch

from facerecon.pipeline import FaceReconstructor
from facerecon.restoration import CONFIGS, CodeFormer, FaceRestorer
from facerecon.restoration.photo import CROP_SIZES, align_face, align_surroundings
from tests.fakes import FakeDetector, make_face, make_photo


class Unchanged:
    version = "1"

    def restore(self, crops, fidelity=0.7):
        return [crop.copy() for crop in crops]


@pytest.mark.parametrize("side", [24, 60, 300, 900])
def test_any_face_size(side):
    torch.manual_seed(0)
    restorer = FaceRestorer(CodeFormer(CONFIGS["tiny"]))
    photo = make_photo(int(side * 1.6), int(side * 1.8))
    pipeline = FaceReconstructor(FakeDetector([make_face(side * 0.4, side * 0.3, side)]), restorer)
    result = pipeline.restore(photo, fidelity=1.0)
    assert result.image.shape == photo.shape
    # An untrained network changes nothing at full fidelity, so nothing may change, however large the face.
    assert np.abs(result.image.astype(int) - photo).mean() < 1
    assert result.faces[0].crop.shape[0] in CROP_SIZES
    assert {"identity_similarity", "naturalness_after"} & set(result.faces[0].quality)


def test_photos_that_need_nothing_are_left_alone():
    photo = make_photo(200, 260)
    pipeline = FaceReconstructor(FakeDetector([make_face(60, 40, 90), make_face(120, 50, 90)]), Unchanged())
    assert np.abs(pipeline.restore(photo).image.astype(int) - photo).max() <= 1


def test_surroundings_lie_round_the_face():
    photo = make_photo(200, 260)
    face = align_face(photo, 0, make_face(80, 50, 90))
    crop, matrix = align_surroundings(photo, face)
    assert crop.shape == face.crop.shape
    middle = np.array([(len(crop) - 1) / 2] * 2 + [1.0])
    there, back = (np.linalg.inv(np.vstack((m, [0, 0, 1]))) @ middle for m in (face.matrix, matrix))
    assert np.allclose(there, back)
    assert np.linalg.det(matrix[:, :2]) < np.linalg.det(face.matrix[:, :2])
