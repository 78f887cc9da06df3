"""Faces of any size are cut out, restored and pasted back."""

import numpy as np
import pytest
import torch

from facerecon.faces.masks import CLASSES, FaceMasks
from facerecon.faces.parsing import TEMPLATE
from facerecon.faces.align import similarity_from_points
from facerecon.pipeline import FaceReconstructor
from facerecon.restoration import CONFIGS, CodeFormer, FaceRestorer
from facerecon.restoration.photo import CROP_SIZES, align_face, align_surroundings, invented_mask
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


class Inventive:
    """Makes up a much brighter face, the more the lower the fidelity."""

    version = "1"

    def restore(self, crops, fidelity=0.7):
        return [np.clip(crop.astype(int) + int(80 * (1 - fidelity)), 0, 255).astype(np.uint8) for crop in crops]


class HandBefore:
    """Sees skin everywhere, but something in front of the crop's right half."""

    def predict(self, photos, faces):
        out = []
        for face in faces:
            chances = np.zeros((len(CLASSES), 64, 64), np.float32)
            chances[CLASSES.index("skin"), :, :32] = 1
            chances[CLASSES.index("other"), :, 32:] = 1
            out.append(FaceMasks(chances, similarity_from_points(face.points, 64, TEMPLATE)))
        return out


def restored(parser, fidelity):
    pipeline = FaceReconstructor(FakeDetector([make_face(60, 50, 100)]), Inventive())
    pipeline.parser = parser
    return pipeline.restore(make_photo(200, 220), fidelity=fidelity).image.astype(int)


def test_what_is_in_front_of_a_face_keeps_its_pixels():
    photo = make_photo(200, 220).astype(int)
    with_mask, without = (restored(parser, 0.0) - photo for parser in (HandBefore(), None))
    face, hand = np.s_[90:120, 78:98], np.s_[90:120, 124:144]
    assert np.abs(without[hand]).mean() > 25 and np.abs(without[face]).mean() > 25
    assert np.abs(with_mask[hand]).mean() < 0.25 * np.abs(without[hand]).mean()
    assert np.abs(with_mask[face]).mean() > 0.7 * np.abs(without[face]).mean()


def test_masks_say_nothing_where_nothing_is_invented():
    assert np.array_equal(restored(HandBefore(), 1.0), restored(None, 1.0))
    face = align_face(make_photo(200, 220), 0, make_face(60, 50, 100))
    masks = HandBefore().predict([None], [face.face])[0]
    shares = [invented_mask(masks, face.matrix, len(face.crop), fidelity)[128, 180] for fidelity in (0.5, 0.7, 0.85, 1.0)]
    assert shares[0] == pytest.approx(shares[1]) and shares[1] < shares[2] < shares[3]
