"""Hair measured in pictures of the shipped head with hair of a known thickness."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facerecon.faces.masks import CLASSES
from facerecon.head.hair import DIRECTIONS, NUMBERS, hair_shell
from facerecon.reconstruction.hair import measure_hair
from tests.reconstruction.hair_pictures import MASKS, PHOTO, posed, seen


@pytest.mark.parametrize("yaw", [0, 35])
@pytest.mark.parametrize("thickness", [0.015, 0.04])
def test_hair_is_as_thick_as_in_the_photo(head, bald, yaw, thickness):
    pose, hair = posed(yaw), np.full(DIRECTIONS, thickness)
    found = measure_hair(pose, bald, head, seen(head, bald, hair, pose), (PHOTO, PHOTO))
    up = hair_shell(head).directions[:, 1] > 0.6
    assert found.shape == (NUMBERS,) and np.abs(found[:DIRECTIONS][up] - thickness).max() < 0.15 * thickness + 0.002


def test_hair_that_no_ray_reached_is_a_little_thinner_than_usual(head, bald):
    pose, hair = posed(0), np.full(DIRECTIONS, 0.04)
    found = measure_hair(pose, bald, head, seen(head, bald, hair, pose), (PHOTO, PHOTO))
    behind = hair_shell(head).directions[:, 2] < -0.9
    assert 0.75 * 0.04 < found[:DIRECTIONS][behind].min() and found[:DIRECTIONS][behind].max() < 0.94 * 0.04


def test_thick_hair_on_one_side_stays_there(head, bald):
    shell, pose = hair_shell(head), posed(0)
    hair = np.where(shell.directions[:, 0] > 0.4, 0.05, 0.005)
    found = measure_hair(pose, bald, head, seen(head, bald, hair, pose), (PHOTO, PHOTO))
    side = shell.directions[:, 0] * (np.abs(shell.directions[:, 1]) < 0.6)
    assert found[:DIRECTIONS][side > 0.7].mean() > 2 * found[:DIRECTIONS][side < -0.7].mean()


def test_bald_people_get_no_hair(head, bald):
    pose = posed(0)
    found = measure_hair(pose, bald, head, seen(head, bald, None, pose), (PHOTO, PHOTO))
    assert found.max() < 0.002


def test_dark_things_behind_the_head_are_not_its_hair(head, bald):
    pose, hair = posed(0), np.full(DIRECTIONS, 0.01)
    masks = seen(head, bald, hair, pose)
    free = cv2.erode(masks.of("background"), np.ones((11, 11))) > 0.99
    masks.probabilities[:, free] = np.eye(len(CLASSES), dtype=np.float32)[:, [CLASSES.index("hair")]]
    found = measure_hair(pose, bald, head, masks, (PHOTO, PHOTO))
    assert found.max() < 0.016


def test_one_stray_lock_makes_no_horn(head, bald):
    pose, hair = posed(0), np.full(DIRECTIONS, 0.01)
    masks = seen(head, bald, hair, pose)
    masks.probabilities[CLASSES.index("hair"), :, MASKS // 2 - 1 : MASKS // 2 + 1] = 1
    found = measure_hair(pose, bald, head, masks, (PHOTO, PHOTO))
    assert found.max() < 0.016


def test_hair_that_never_ends_is_something_else(head, bald):
    pose = posed(0)
    masks = seen(head, bald, None, pose)
    masks.probabilities[CLASSES.index("hair")] = 1
    assert measure_hair(pose, bald, head, masks, (PHOTO, PHOTO)) is None


def test_a_head_whose_scalp_is_nowhere_at_the_outline_tells_nothing(head, bald, monkeypatch):
    """As in a face that is seen from far below."""
    pose, shell = posed(0), hair_shell(head)
    monkeypatch.setattr(shell, "scalp", np.zeros_like(shell.scalp))
    assert measure_hair(pose, bald, head, seen(head, bald, None, pose), (PHOTO, PHOTO)) is None


def test_a_photo_that_ends_at_the_head_tells_nothing(head, bald):
    """The parser's crop goes on, filled up; where its hair ends there is of no meaning."""
    pose, hair = posed(0), np.full(DIRECTIONS, 0.03)
    masks, edge = seen(head, bald, hair, pose), 130
    moved = replace(pose, principal_point=pose.principal_point - edge)
    masks.matrix[:, 2] += masks.matrix[:, :2].sum(1) * edge
    assert measure_hair(moved, bald, head, masks, (PHOTO - edge, PHOTO - edge)) is not None
    assert measure_hair(moved, bald, head, masks, (PHOTO - 2 * edge, PHOTO - 2 * edge)) is None
