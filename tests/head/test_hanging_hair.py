from __future__ import annotations

import numpy as np
import pytest

from facerecon.head.hair import DIRECTIONS, NUMBERS, checked_hair, grow_hair, hair_cover, hair_shell
from facerecon.head.hanging_hair import BACK_M, FADE_M, HALF_WIDTH_M, HEIGHTS_M, NARROWEST, ROW, HangingShell

WIDTH_M, END_M = 0.105, -0.10


@pytest.fixture(scope="module")
def shell(head) -> HangingShell:
    return hair_shell(head).hanging


@pytest.fixture(scope="module")
def bald(head) -> np.ndarray:
    return head.vertices()[0].numpy()


def side(width: float = WIDTH_M, end: float = END_M, covered: float = 1.0) -> np.ndarray:
    """Hair of one width down to a height."""
    return np.concatenate(([covered], np.where(HEIGHTS_M > end - 0.001, width, 0)))


@pytest.fixture(scope="module")
def long(shell, bald) -> np.ndarray:
    """Vertices with hair that covers both ears."""
    return shell.grow(bald, np.array([side()] * 2))


def test_hair_ends_where_it_is_said_to_beside_the_ears_and_goes_around_the_back(head, bald, long):
    beside = (np.abs(long[:, 1] + 0.04) < 0.015) & head.masks["skin"].numpy()
    assert long[beside, 0].max() == pytest.approx(WIDTH_M, abs=0.004) and long[beside, 0].min() == pytest.approx(-WIDTH_M, abs=0.004)
    assert long[beside, 2].min() < bald[beside, 2].min() - 0.01


@pytest.mark.parametrize("above, below, depth", [(0.085, 0.085, 1), (0.12, 0.12, (0.12 / HALF_WIDTH_M) ** 0.5), (0.085, 0.045, NARROWEST)])
def test_fuller_hair_is_deeper_and_hair_that_narrows_is_drawn_in_at_the_back(head, shell, bald, above, below, depth):
    widths = np.concatenate(([1.0], np.where(HEIGHTS_M > -0.05, above, below)))
    grown = shell.grow(bald, np.array([widths] * 2))
    nape = (np.abs(grown[:, 1] + 0.10) < 0.015) & (np.abs(grown[:, 0]) < 0.02) & head.masks["skin"].numpy()
    assert shell.axis_z - grown[nape, 2].min() == pytest.approx(BACK_M * depth, abs=0.004)


def test_the_crown_stays_as_it_is(bald, long):
    crown = bald[:, 1] > HEIGHTS_M[0] + FADE_M
    assert crown.sum() > 20 and (long[crown] == bald[crown]).all()


def test_ears_are_under_hair_and_its_surface_has_no_folds(head, shell, bald, long):
    faces = head.faces.numpy()
    on_ears = (shell.ears[0] | shell.ears[1])[faces].all(1)
    corners = long[faces[on_ears]].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = corners.mean(1) - (0, 0, shell.axis_z)
    assert ((normals * outward)[:, ::2].sum(1) > 0).mean() > 0.97
    assert np.abs(long[shell.ears[0], 0]).min() > np.abs(bald[shell.ears[0], 0]).min() + 0.005


def test_face_and_throat_stay_as_they_are(head, bald, long):
    front = bald[:, 2] > -0.03
    assert front.sum() > 1500 and (long[front] == bald[front]).all()


def test_below_its_end_there_is_no_hair(bald, long):
    below = bald[:, 1] < END_M - 0.025
    assert below.sum() > 100 and (long[below] == bald[below]).all()


def test_hair_on_one_side_leaves_the_other_bare(shell, bald):
    moved = np.linalg.norm(shell.grow(bald, np.array([side(), np.zeros(ROW)])) - bald, axis=1)
    assert moved[bald[:, 0] > 0.03].max() > 0.03 and moved[bald[:, 0] < -0.035].max() < 1e-6


def test_a_bare_ear_stays_outside(shell, bald):
    grown = shell.grow(bald, np.array([side(covered=0.0), side()]))
    assert (grown[shell.ears[0]] == bald[shell.ears[0]]).all() and not np.allclose(grown[shell.ears[1]], bald[shell.ears[1]])


def test_what_hair_covers_is_the_same_of_a_head_that_has_it(head, bald):
    hair = np.concatenate((np.full(DIRECTIONS, 0.01), side(), side()))
    grown = grow_hair(bald, hair, head)
    cover = hair_cover(grown, hair, head)
    assert np.abs(cover - hair_cover(grow_hair(bald, hair[:DIRECTIONS], head), hair, head)).mean() < 0.01
    moved = np.linalg.norm(grown - grow_hair(bald, hair[:DIRECTIONS], head), axis=1)
    assert cover[moved > 0.01].min() > 0.3 and cover[bald[:, 2] > 0].max() == 0


def test_numbers_of_hair_that_only_stands_grow_as_they_did(head, bald):
    standing = np.full(DIRECTIONS, 0.03, np.float32)
    assert (grow_hair(bald, standing, head) == hair_shell(head).grow(bald, standing)).all()
    assert (grow_hair(bald, np.append(standing, np.zeros(2 * ROW)), head) == hair_shell(head).grow(bald, standing)).all()
    assert hair_cover(bald, standing, head) is None and hair_cover(bald, None, head) is None


@pytest.mark.parametrize("count, fits", [(DIRECTIONS, True), (NUMBERS, True), (NUMBERS - 1, False), (0, False)])
def test_stored_hair_has_as_many_numbers_as_hair_has(count, fits):
    if fits:
        assert checked_hair([0.01] * count).dtype == np.float32
    else:
        with pytest.raises(ValueError, match=f"not {count}"):
            checked_hair([0.01] * count)
