"""What is said of a restored face's identity and quality."""

import numpy as np
import pytest

from facerecon.restoration.photo import align_face
from facerecon.restoration.scoring import FaceScorer, doubts
from tests.fakes import make_face, make_photo


class Brightness:
    """An embedding that only sees how bright a crop is."""

    size = 32

    def embed(self, images):
        angles = np.array([image.mean() / 255 * np.pi for image in images])
        return np.stack((np.cos(angles), np.sin(angles)), 1).astype(np.float32)


@pytest.fixture
def faces():
    photo = make_photo()
    return [align_face(photo, i, make_face(x, 20, 60)) for i, x in enumerate((20, 80))]


def test_scores_go_to_their_own_face(faces):
    faces[1].restored = 255 - faces[1].crop
    scored = FaceScorer(Brightness()).score(faces)
    assert scored[0].quality["identity_similarity"] == pytest.approx(1, abs=1e-5)
    assert scored[1].quality["identity_similarity"] < 0.999
    assert all(face.quality["naturalness_after"] > 0 for face in scored)
    assert "identity_similarity" not in faces[0].quality


def test_no_faces():
    assert FaceScorer(Brightness()).score([]) == []


def test_doubts_name_what_is_wrong():
    assert doubts({"identity_similarity": 0.9, "naturalness_after": 5, "blur_before": 0.4, "resolution": 1.0}) == []
    wrong = doubts({"identity_similarity": 0.2, "naturalness_after": 30, "blur_before": 0.9, "resolution": 1.0})
    assert len(wrong) == 3 and "0.20" in wrong[0] and "30.0" in wrong[1]
    assert len(doubts({"resolution": 0.05})) == 1
