"""What was seen in a photo is found at the same place in the photo at another size."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.faces.align import similarity_from_points
from facerecon.faces.masks import CLASSES, FaceMasks
from facerecon.head import HeadModel
from facerecon.pipeline import FaceReconstructor
from facerecon.scaling import scale_face, scale_masks, shrink_to, size_within
from facerecon.types import Face
from tests.fakes import FakeDetector, FakeReconstructor, FakeRestorer, make_face, make_photo


def masks_of(face: Face) -> FaceMasks:
    chances = np.zeros((len(CLASSES), 64, 64), np.float32)
    chances[CLASSES.index("hair"), 20:40, 10:30] = 1
    return FaceMasks(chances, similarity_from_points(face.points, 64, "reconstruction"))


def test_masks_of_a_photo_fit_the_enlarged_photo():
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    masks = masks_of(make_face(40, 30, 60))
    small = masks.on(("hair",), identity, (160, 120))
    large = scale_masks(masks, 4).on(("hair",), identity, (640, 480))
    again = cv2.resize(large, (160, 120), interpolation=cv2.INTER_AREA)
    assert small.max() == 1 and np.abs(again - small).mean() < 0.01


def test_landmarks_and_their_errors_grow_with_the_photo():
    face = make_face(40, 30, 60)
    face = Face(face.box, face.points, 1.0, np.tile(face.points[:1], (68, 1)), np.full(68, 1.5, np.float32))
    large = scale_face(face, 2)
    assert np.allclose(large.landmarks, np.tile(large.points[:1], (68, 1))) and np.allclose(large.landmark_errors, 3)


class Parser:
    calls = 0

    def predict(self, photos, faces):
        self.calls += len(faces)
        return [masks_of(face) for face in faces]


class Painter(FakeReconstructor):
    """Remembers the masks that it is handed."""

    parser = True

    def reconstruct(self, *args, masks=None, **more):
        self.masks = masks
        return super().reconstruct(*args, **more)


def test_a_face_is_parsed_once_for_pasting_and_for_its_texture():
    pipeline = FaceReconstructor(FakeDetector([make_face(60, 50, 100)]), FakeRestorer(), Painter(HeadModel.from_pretrained()))
    pipeline.parser = Parser()
    pipeline.run(make_photo(200, 220), fidelity=0.5)
    (masks,) = pipeline.reconstructor.masks
    assert pipeline.parser.calls == 1 and masks.probabilities.shape == (len(CLASSES), 64, 64)


def test_a_photo_is_shrunk_to_its_longer_side_and_never_enlarged() -> None:
    photo = make_photo(300, 200)
    assert size_within(photo, 100) == (67, 100) and size_within(photo, 300) == size_within(photo, 900) == (200, 300)
    assert shrink_to(photo, (67, 100)).shape == (100, 67, 3) and shrink_to(photo, (200, 300)) is photo
    assert size_within(make_photo(3, 5000), 64) == (64, 1)
