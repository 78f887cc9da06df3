"""Hair measured in pictures of the shipped head with hair of a known thickness."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facerecon.faces.masks import CLASSES, FaceMasks
from facerecon.head import HeadModel
from facerecon.head.hair import DIRECTIONS, hair_shell
from facerecon.reconstruction.hair import measure_hair
from facerecon.rendering.pictures import render_layer, vertices_in_camera
from facerecon.types import Demographics, HeadParameters

PHOTO, MASKS = 400, 128


def posed(yaw: float) -> HeadParameters:
    """The head in the middle of the photo, hair and all."""
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    return HeadParameters(
        identity=np.zeros(80, np.float32), expression=np.zeros(52, np.float32), demographics=Demographics(),
        rotation=np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32), translation_m=np.array([0, -0.01, -0.9], np.float32),
        focal_px=PHOTO * 1.9, principal_point=np.array([PHOTO / 2, PHOTO / 2], np.float32), lighting=np.zeros((9, 3), np.float32),
    )  # fmt: skip


def seen(head, bald: np.ndarray, hair: np.ndarray | None, parameters: HeadParameters) -> FaceMasks:
    """What a faultless parser says of a head with that hair: everything of it that is not the bald head."""
    camera = (PHOTO, PHOTO), parameters.focal_px, parameters.principal_point
    layers = [
        render_layer(vertices_in_camera(v, parameters), head, *camera, mode="depth")[..., 3]
        for v in (bald, bald if hair is None else hair_shell(head).grow(bald, hair))
    ]
    skin, whole = (cv2.resize(np.float32(layer > 0.5), (MASKS, MASKS), interpolation=cv2.INTER_AREA) for layer in layers)
    probabilities = np.zeros((len(CLASSES), MASKS, MASKS), np.float32)
    probabilities[CLASSES.index("skin")] = skin
    probabilities[CLASSES.index("hair")] = np.clip(whole - skin, 0, 1)
    probabilities[CLASSES.index("background")] = 1 - np.maximum(whole, skin)
    zoom = MASKS / PHOTO
    return FaceMasks(probabilities, np.array([[zoom, 0, (zoom - 1) / 2], [0, zoom, (zoom - 1) / 2]]))


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.from_pretrained()


@pytest.fixture(scope="module")
def bald(head) -> np.ndarray:
    return head.vertices()[0].numpy()


@pytest.mark.parametrize("yaw", [0, 35])
@pytest.mark.parametrize("thickness", [0.015, 0.04])
def test_hair_is_as_thick_as_in_the_photo(head, bald, yaw, thickness):
    pose, hair = posed(yaw), np.full(DIRECTIONS, thickness)
    found = measure_hair(pose, bald, head, seen(head, bald, hair, pose), (PHOTO, PHOTO))
    up = hair_shell(head).directions[:, 1] > 0.6
    assert found.shape == (DIRECTIONS,) and np.abs(found[up] - thickness).max() < 0.15 * thickness + 0.002


def test_hair_that_no_ray_reached_is_a_little_thinner_than_usual(head, bald):
    pose, hair = posed(0), np.full(DIRECTIONS, 0.04)
    found = measure_hair(pose, bald, head, seen(head, bald, hair, pose), (PHOTO, PHOTO))
    behind = hair_shell(head).directions[:, 2] < -0.9
    assert 0.75 * 0.04 < found[behind].min() and found[behind].max() < 0.94 * 0.04


def test_thick_hair_on_one_side_stays_there(head, bald):
    shell, pose = hair_shell(head), posed(0)
    hair = np.where(shell.directions[:, 0] > 0.4, 0.05, 0.005)
    found = measure_hair(pose, bald, head, seen(head, bald, hair, pose), (PHOTO, PHOTO))
    side = shell.directions[:, 0] * (np.abs(shell.directions[:, 1]) < 0.6)
    assert found[side > 0.7].mean() > 2 * found[side < -0.7].mean()


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
