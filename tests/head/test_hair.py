from __future__ import annotations

import numpy as np
import pytest

from facerecon.head.hair import DIRECTIONS, HAIRLINE_M, HairShell, hair_shell


@pytest.fixture(scope="module")
def shell(head) -> HairShell:
    return hair_shell(head)


@pytest.fixture(scope="module")
def bald(head) -> np.ndarray:
    return head.vertices()[0].numpy()


def test_hair_lifts_the_crown_as_far_as_it_is_thick(shell, bald):
    grown = shell.grow(bald, np.full(DIRECTIONS, 0.03))
    crown = slice(bald[:, 1].argmax(), bald[:, 1].argmax() + 1)
    assert grown[crown] - bald[crown] == pytest.approx(0.03 * shell.outward(bald[crown]), abs=1e-6)
    assert grown[crown, 1] - bald[crown, 1] > 0.029


def test_skin_stays_where_it_is_and_hair_rises_from_its_rim(head, shell, bald):
    moved = np.linalg.norm(shell.grow(bald, np.full(DIRECTIONS, 0.03)) - bald, axis=1)
    assert (moved[~shell.scalp] == 0).all()
    faces = head.faces.numpy()
    steps = np.abs(moved[faces] - np.roll(moved[faces], 1, axis=1))
    lengths = np.linalg.norm(bald[faces] - np.roll(bald[faces], 1, axis=1), axis=-1)
    assert (steps / lengths).max() < 1.7 * 0.03 / HAIRLINE_M, "a cliff at the hairline"


def test_hair_on_one_side_leaves_the_other_bare(shell, bald):
    left = (shell.directions[:, 0] > 0.5) * 0.04
    moved = np.linalg.norm(shell.grow(bald, left) - bald, axis=1)
    side = shell.outward(bald)[:, 0]
    assert moved[side > 0.8].max() > 0.03 and moved[side < -0.5].max() < 0.004


def test_a_head_keeps_its_left_and_right_alike(shell, bald):
    grown = shell.grow(bald, np.full(DIRECTIONS, 0.05))
    assert shell.center[0] == 0
    assert grown[:, 0].max() == pytest.approx(-grown[:, 0].min(), abs=2e-3)
