"""Photos whose framing is off are labelled from several first crops, and what no crop agrees on is left out."""

from __future__ import annotations

import numpy as np
import pytest

from facerecon.faces.landmarker import Landmarks
from tests.train.landmarks.test_label import template_landmarks
from train.detector.prepare import voted
from train.landmarks.annotators import LandmarkAnnotator
from train.landmarks.packs import Framing

SIDE, REACH = 200, 45


class SpotLandmarker:
    """Puts a face of 110 pixels round the brightest spot within its reach, else where it was told to look."""

    size = 110

    def predict(self, images, places, looks=2, mirrored=True):
        points = np.stack([self._find(image, np.asarray(place)) for image, place in zip(images, places)])
        return Landmarks(points.astype(np.float32), np.ones((len(points), 68), np.float32), np.ones(len(points), np.float32))

    def _find(self, image, place):
        centre = place.mean(0)
        y, x = np.nonzero(image[..., 0] > 200)
        spots = np.stack((x, y), 1)
        near = spots[np.linalg.norm(spots - centre, axis=1) < REACH] if len(spots) else spots
        points = template_landmarks(self.size)
        # Landmarks as wide as a face, so that its box has a size.
        points[:17] += np.stack((self.size * np.linspace(-0.55, 0.55, 17), self.size * (0.6 - np.linspace(-1, 1, 17) ** 2)), 1)
        return points - points[30] + (near.mean(0) if len(near) else centre)


@pytest.fixture
def annotator():
    return LandmarkAnnotator(SpotLandmarker())


def photo(*spots):
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    for x, y in spots:
        image[y - 1 : y + 2, x - 1 : x + 2] = 255
    return image


def test_a_face_off_centre_is_found_in_the_photos_own_pixels(annotator):
    landmarks, doubt = annotator.label([photo((120, 95))], [Framing((1.2,))])
    assert np.abs(landmarks[0, 30] - (120, 95)).max() < 1
    assert doubt[0] < 0.02


def test_of_several_framings_the_surest_counts(annotator):
    photos = [photo((120, 95)), photo((90, 110))]
    landmarks, _ = annotator.label(photos, [Framing((0.7, 1.2)), Framing((1.2,))])
    assert np.abs(landmarks[:, 30] - [(120, 95), (90, 110)]).max() < 1


def test_a_face_that_most_first_crops_end_on_is_taken(annotator):
    points = voted(annotator, photo((125, 100)), Framing((1.2,)))
    assert np.abs(points[30] - (125, 100)).max() < 1


def test_a_photo_in_which_every_crop_stays_where_it_began_is_left_out(annotator):
    _, share = annotator.vote(photo(), Framing((1.2,)))
    assert share < 0.5
    assert voted(annotator, photo(), Framing((1.2,))) is None


def test_what_is_too_small_to_be_the_photos_face_is_left_out(annotator):
    image = photo((125, 100))
    assert annotator.vote(image, Framing((1.2,)))[1] > 0.6
    annotator.landmarker.size = 40
    assert annotator.vote(image, Framing((1.2,)))[1] > 0.6
    assert voted(annotator, image, Framing((1.2,))) is None
