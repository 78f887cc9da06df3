"""Long hair measured in pictures of the shipped head with hair that ends where we know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facerecon.faces.masks import CLASSES, FaceMasks
from facerecon.head.hair import DIRECTIONS, grow_hair
from facerecon.head.hanging_hair import HEIGHTS_M, ROW
from facerecon.reconstruction.camera import points_in_crop
from facerecon.reconstruction.hair import measure_hair
from facerecon.types import HeadParameters
from tests.reconstruction.hair_pictures import MASKS, PHOTO, posed, seen

WIDTH_M, END_M = 0.11, -0.10
NECK, HAIR = CLASSES.index("neck"), CLASSES.index("hair")


@pytest.fixture(scope="module")
def long() -> np.ndarray:
    """Hair that covers the ears and ends at ``END_M``."""
    side = np.concatenate(([1.0], np.where(HEIGHTS_M > END_M - 0.001, WIDTH_M, 0)))
    return np.concatenate((np.full(DIRECTIONS, 0.01), side, side))


@pytest.fixture(scope="module")
def further(long) -> np.ndarray:
    """The same down to the shoulders."""
    hair = long.copy()
    hair[DIRECTIONS:].reshape(2, ROW)[:, 1:] = WIDTH_M
    return hair


def measured(head, bald, masks: FaceMasks, pose: HeadParameters, size: int = PHOTO) -> np.ndarray:
    """(2, ROW), what is found of hair beside the head."""
    return measure_hair(pose, bald, head, masks, (size, size))[DIRECTIONS:].reshape(2, ROW)


def show(masks: FaceMasks, pose: HeadParameters, points: np.ndarray, kind: int) -> None:
    """Has the parser see one class about points (N, 3) of the head."""
    for x, y in points_in_crop(points, pose, masks.matrix)[0].round().astype(int):
        masks.probabilities[:, y - 1 : y + 2, x - 1 : x + 2] = np.eye(len(CLASSES), dtype=np.float32)[kind][:, None, None]


@pytest.mark.parametrize("axis, degrees", [("x", 0), ("x", 20), ("x", -20), ("z", 25), ("z", -25)])
def test_long_hair_ends_where_it_does_in_the_photo(head, bald, long, axis, degrees):
    """Of heads that look down, up, or lean to a shoulder, too."""
    pose = replace(posed(0), rotation=Rotation.from_euler(axis, degrees, degrees=True).as_matrix())
    found = measured(head, bald, seen(head, bald, long, pose), pose)
    there = (HEIGHTS_M > END_M + 0.01) & (HEIGHTS_M < 0.03)
    assert (found[:, 0] == 1).all() and np.abs(found[:, 1:][:, there] - WIDTH_M).max() < 0.012
    assert (found[:, 1:][:, HEIGHTS_M < END_M - 0.03] == 0).all()


def test_the_side_that_a_turned_head_hides_is_like_the_other(head, bald, long):
    left, right = measured(head, bald, seen(head, bald, long, posed(25)), posed(25))
    assert (left == right).all() and np.abs(left[1:][(HEIGHTS_M > END_M) & (HEIGHTS_M < 0.03)] - WIDTH_M).max() < 0.015


@pytest.mark.parametrize("yaw, near", [(25, -1), (-25, 1)])
def test_of_a_turned_head_the_ear_on_the_near_side_tells(head, bald, further, yaw, near):
    masks, pose = seen(head, bald, further, posed(yaw)), posed(yaw)
    show(masks, pose, bald[head.masks["ears"].numpy() & (bald[:, 0] * near > 0)], NECK)
    left, right = measured(head, bald, masks, pose)
    assert (left == right).all() and left[0] == left[1:][HEIGHTS_M > -0.05].max() == 0 and left[1:].max() > 0.09


def test_of_a_profile_nothing_is_said(head, bald, long):
    assert not measured(head, bald, seen(head, bald, long, posed(50)), posed(50)).any()


@pytest.mark.parametrize("thickness", [0.0, 0.02])
def test_short_hair_ends_at_the_ears(head, bald, thickness):
    masks = seen(head, bald, np.full(DIRECTIONS, thickness), posed(0))
    assert not measured(head, bald, masks, posed(0)).any()


@pytest.mark.parametrize("width, covers", [(0.12, True), (0.095, False)])
def test_short_hair_covers_ears_only_where_it_is_full(head, bald, width, covers):
    full = np.concatenate(([1.0], np.where(HEIGHTS_M > -0.03, width, 0)))
    hair = np.concatenate((np.full(DIRECTIONS, 0.01), full, full))
    found = measured(head, bald, seen(head, bald, hair, posed(0)), posed(0))
    assert found.any() == covers and (found[:, 1:][:, HEIGHTS_M < -0.07] == 0).all()
    assert not covers or np.abs(found[:, 1:][:, (HEIGHTS_M < 0.03) & (HEIGHTS_M > -0.03)] - width).max() < 0.015


def test_hair_behind_a_bare_ear_begins_below_it(head, bald, further):
    masks, pose = seen(head, bald, further, posed(0)), posed(0)
    ear = bald[head.masks["ears"].numpy() & (bald[:, 0] > 0)]
    show(masks, pose, ear, NECK)
    left, right = measured(head, bald, masks, pose)
    assert left[0] == 0 and (left[1:][HEIGHTS_M > -0.05] == 0).all() and (left[1:][(HEIGHTS_M < -0.06) & (HEIGHTS_M > -0.19)] > 0.09).all()
    assert right[0] == 1 and (right[1:][HEIGHTS_M > -0.19] > 0.07).all()


def test_a_little_hair_behind_bare_ears_is_no_long_hair(head, bald, long):
    masks, pose = seen(head, bald, long, posed(0)), posed(0)
    show(masks, pose, bald[head.masks["ears"].numpy()], NECK)
    assert not measured(head, bald, masks, pose).any()


def test_a_shadow_beside_the_neck_of_a_person_with_short_hair_is_no_hair(head, bald):
    masks, pose = seen(head, bald, np.full(DIRECTIONS, 0.01), posed(0)), posed(0)
    neck = np.array([(sign * 0.07, y, -0.09) for sign in (1, -1) for y in np.arange(-0.12, -0.04, 0.004)])
    show(masks, pose, neck, HAIR)
    assert not measured(head, bald, masks, pose).any()


def test_a_gap_at_one_height_alone_does_not_end_hair(head, bald, further):
    masks, pose = seen(head, bald, further, posed(0)), posed(0)
    gap = np.array([(sign * x, HEIGHTS_M[6], -0.09) for sign in (1, -1) for x in np.arange(0.05, 0.13, 0.004)])
    show(masks, pose, gap, CLASSES.index("background"))
    assert measured(head, bald, masks, pose)[:, 1:-1].min() > 0.09


def test_where_hair_never_ends_it_goes_on_as_above(head, bald, further):
    masks, pose = seen(head, bald, further, posed(0)), posed(0)
    dark = np.array([(x, y, -0.09) for x in np.arange(-0.19, 0.19, 0.004) for y in np.arange(HEIGHTS_M[9] - 0.005, HEIGHTS_M[7], 0.004)])
    show(masks, pose, dark, HAIR)
    assert np.abs(measured(head, bald, masks, pose)[:, 1:-1] - WIDTH_M).max() < 0.015


@pytest.mark.parametrize(
    "sides, heights, places, hangs",
    [
        ((1, -1), (-0.12, 0.08), (0.075, 0.11), True),
        ((1, -1), (-0.12, -0.01), (0.075, 0.11), False),
        ((1,), (-0.12, 0.08), (0.075, 0.11), False),
        ((1, -1), (-0.12, 0.08), (0.075, 0.079), False),
        ((1, -1), (-0.03, 0.08), (0.08, 0.11), True),
        ((1, -1), (-0.03, 0.08), (0.1, 0.107), False),
    ],
)
def test_what_hangs_from_nowhere_or_on_one_side_alone_or_is_thin_is_behind_the_head(head, bald, sides, heights, places, hangs):
    """As a flag is that the parser takes for hair."""
    masks, pose = seen(head, bald, np.zeros(DIRECTIONS), posed(0)), posed(0)
    place = [(sign * x, y, -0.09) for sign in sides for x in np.arange(*places, 0.004) for y in np.arange(*heights, 0.004)]
    show(masks, pose, np.array(place), HAIR)
    assert measured(head, bald, masks, pose).any() == hangs


def test_dark_things_beside_the_head_are_not_its_hair(head, bald):
    masks, pose = seen(head, bald, np.full(DIRECTIONS, 0.01), posed(0)), posed(0)
    masks.probabilities[:, :, : MASKS // 6] = masks.probabilities[:, :, -MASKS // 6 :] = np.eye(len(CLASSES))[HAIR][:, None, None]
    assert not measured(head, bald, masks, pose).any()


@pytest.mark.parametrize("side", [0.085, 0.03])
def test_hair_goes_on_below_the_picture_and_where_one_side_is_cut_off_the_other_tells(head, bald, further, side):
    pose = posed(0)
    masks = seen(head, bald, further, pose)
    lower = points_in_crop(np.array([[0, -0.12, -0.09]]), pose, np.eye(2, 3))[0][0, 1]
    aside = points_in_crop(np.array([[side, 0, -0.09]]), pose, np.eye(2, 3))[0][0, 0]
    found = measure_hair(pose, bald, head, masks, (int(lower), int(aside)))[DIRECTIONS:].reshape(2, ROW)
    assert np.abs(found[1, 1:] - WIDTH_M)[HEIGHTS_M < 0.03].max() < 0.012
    assert np.abs(found[0, 1:] - found[1, 1:])[HEIGHTS_M < 0.03].max() < 0.012


def test_a_photo_cut_at_the_forehead_still_tells_of_hair_beside_the_face(head, bald, long, monkeypatch):
    monkeypatch.setattr("facerecon.reconstruction.hair._standing", lambda *_: None)
    pose = posed(0)
    found = measure_hair(pose, bald, head, seen(head, bald, long, pose), (PHOTO, PHOTO))
    assert 0.01 < found[:DIRECTIONS].min() and found[DIRECTIONS:].any()
    assert measure_hair(pose, bald, head, seen(head, bald, None, pose), (PHOTO, PHOTO)) is None


def test_heads_are_alike_on_both_sides(head, bald, long):
    left, right = measured(head, bald, seen(head, bald, long, posed(0)), posed(0))
    grown = grow_hair(bald, np.concatenate((np.zeros(DIRECTIONS), left, right)), head)
    assert grown[:, 0].max() == pytest.approx(-grown[:, 0].min(), abs=0.006)
