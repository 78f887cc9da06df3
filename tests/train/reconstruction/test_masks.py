from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facerecon.faces.parsing import FaceParser
from facerecon.images import load_image
from train.reconstruction.evaluate import find_faces
from train.reconstruction.masks import mark_skin

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SIDE = 160


@pytest.fixture(scope="module")
def portrait():
    image = load_image(EXAMPLES / "astronaut.jpg")
    face = find_faces([image])[0][0]
    x, y = np.maximum(face.points.mean(0).astype(int) - SIDE // 2, 0)
    return image[y : y + SIDE, x : x + SIDE], face.landmarks - (x, y)


def test_skin_is_marked_beside_the_nose_and_not_in_the_eyes_or_beyond_the_face(portrait, tmp_path):
    photo, landmarks = portrait
    # One picture more than there are labels, as the packs have it.
    np.save(tmp_path / "images.npy", np.stack([photo] * 4))
    np.savez(tmp_path / "labels.npz", landmarks=np.stack([landmarks] * 3).astype(np.float32))
    skin = np.load(mark_skin(tmp_path, FaceParser.from_pretrained()))
    assert skin.shape == (3, SIDE, SIDE) and skin.dtype == np.uint8
    at = lambda point: skin[0][tuple(np.round(point).astype(int)[::-1])]  # noqa: E731
    cheek = landmarks[[2, 30]].mean(0)
    assert at(cheek) > 200
    assert at(landmarks[36:42].mean(0)) < 100
    assert skin[0, :10].mean() < 100
    assert not list(tmp_path.glob("*.part"))
