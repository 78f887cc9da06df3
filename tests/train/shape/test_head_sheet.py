from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.fakes import make_face
from train.shape import head_sheet as module


class Encoder:
    """Embeds what it sees as an angle: its first pixel's brightness, in degrees."""

    size = 16

    @classmethod
    def from_pretrained(cls):
        return cls()

    def crop(self, image, face):
        return np.zeros_like(image)

    def embed(self, crops):
        angles = np.radians([float(crop[0, 0, 0]) for crop in crops])
        return np.stack((np.cos(angles), np.sin(angles)), -1)


@pytest.mark.parametrize("count, rows", [(2, 2), (50, 2)])
def test_the_most_alike_stand_left_the_least_right_and_nobody_twice(tmp_path, monkeypatch, count, rows):
    for name, degrees in zip("abcde", (60, 10, 90, 30, 0)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((40, 40, 3), degrees, np.uint8))
    monkeypatch.setattr(module, "IdentityEncoder", Encoder)
    monkeypatch.setattr(module, "find_faces", lambda images: ([make_face(5, 5, 30)], int(images[0].max() == 0)))
    monkeypatch.setattr(module, "turned_views", lambda reconstructor, image, face: [(image, face.points)] * 2)
    monkeypatch.setattr(module, "crop_face", lambda picture, *_: (picture, None))
    monkeypatch.setattr(module, "tile", lambda reconstructor, image, face: image[:1, :1])
    sheet = module.head_sheet(None, tmp_path, count)
    assert sheet.shape == (rows, 2, 3)
    assert sheet[..., 0].tolist() == [[10, 90], [30, 60]]
