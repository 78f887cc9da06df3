"""Choosing faces."""

from __future__ import annotations

import numpy as np
import pytest

from facerecon.faces import choose_faces
from facerecon.types import Face, FaceReconError


def face(x, y, size):
    box = np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2], np.float32)
    return Face(box, np.zeros((5, 2), np.float32))


FACES = [face(50, 50, 40), face(310, 210, 90), face(320, 250, 20), face(600, 100, 120)]
SHAPE = (480, 640, 3)


@pytest.mark.parametrize("selection, chosen", [("all", [0, 1, 2, 3]), ("largest", [3]), ("center", [1]), (2, [2]), ("0", [0])])
def test_selection(selection, chosen):
    found = choose_faces(FACES, selection, SHAPE)
    assert [index for index, _ in found] == chosen
    assert all(face is FACES[index] for index, face in found)


def test_no_faces_give_none():
    assert choose_faces([], "all", SHAPE) == choose_faces([], "largest", SHAPE) == []


@pytest.mark.parametrize("selection, says", [(4, "4 faces"), (-1, "4 faces"), ("biggest", "'biggest'"), ("", "''"), ("--1", "'--1'"), ("²", "'²'")])
def test_what_cannot_be_chosen_is_said(selection, says):
    with pytest.raises(FaceReconError, match=says):
        choose_faces(FACES, selection, SHAPE)
