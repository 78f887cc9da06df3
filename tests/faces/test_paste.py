"""A pasted crop leaves no seam, and an unchanged one leaves no trace."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facerecon.faces.align import similarity_from_points, template_points, transform_points, warp
from facerecon.faces.paste import _Place, crop_mask, paste_crops


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """240 x 320, smooth colours with fine texture."""
    rng = np.random.default_rng(0)
    coarse = cv2.resize(rng.uniform(40, 210, (8, 10, 3)).astype(np.float32), (320, 240), interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + rng.normal(0, 10, (240, 320, 3)), 0, 255).astype(np.uint8)


def place(size, face=90.0, centre=(170, 120), degrees=12.0):
    """A matrix that cuts a face of about ``face`` pixels, turned."""
    angle = np.radians(degrees)
    points = (template_points(1, "restoration") + 0.5 - 0.5) * face * 2
    points = points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + centre
    return similarity_from_points(points, size)


@pytest.mark.parametrize("size", [64, 256, 512])
@pytest.mark.parametrize("centre", [(170, 120), (20, 30)])
def test_unchanged_crop_changes_nothing(photo, size, centre):
    matrix = place(size, centre=centre)
    pasted = paste_crops(photo, [warp(photo, matrix, size)], [matrix])
    assert np.abs(pasted.astype(int) - photo).max() <= 1


@pytest.mark.parametrize("scale", [2, 4])
def test_unchanged_crop_in_an_enlarged_photo(photo, scale):
    large = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4)
    matrix = place(256)
    pasted = paste_crops(large, [warp(photo, matrix, 256)], [matrix], scale=scale)
    assert np.abs(pasted.astype(float) - large).mean() < 1


@pytest.mark.parametrize("shift", [-60, 25, 60])
def test_a_shifted_crop_shows_no_step(shift):
    grey = np.full((240, 320, 3), 120, np.uint8)
    matrix = place(256)
    pasted = paste_crops(grey, [np.full((256, 256, 3), 120 + shift, np.uint8)], [matrix]).astype(int)
    inside = pasted[120, 170, 0] - 120
    assert abs(inside - shift) <= 10.5  # colour is moved toward the photo, but not without limit
    steps = max(np.abs(np.diff(pasted, axis=0)).max(), np.abs(np.diff(pasted, axis=1)).max())
    assert steps <= 6


def test_small_colour_drift_is_taken_out(photo):
    matrix = place(256)
    drifted = np.clip(warp(photo, matrix, 256).astype(int) + (5, -4, 6), 0, 255).astype(np.uint8)
    pasted = paste_crops(photo, [drifted], [matrix]).astype(float)
    assert np.abs(pasted.mean((0, 1)) - photo.mean((0, 1))).max() < 0.3


def test_a_changed_crop_arrives_where_it_belongs_and_nowhere_else(photo):
    matrix = place(256)
    crop = warp(photo, matrix, 256)
    crop[118:138, 118:138] = (255, 0, 255)
    pasted = paste_crops(photo, [crop], [matrix])
    centre = transform_points(np.array([127.5, 127.5]), np.linalg.inv(np.vstack((matrix, [0, 0, 1])))[:2]).round().astype(int)
    assert np.abs(pasted[centre[1], centre[0]].astype(int) - (255, 0, 255)).max() <= 12
    v, u = np.mgrid[:240, :320]
    where = transform_points(np.stack((u, v), -1).astype(float), matrix)
    outside = ((where < -1) | (where > 256)).any(-1)
    assert np.array_equal(pasted[outside], photo[outside])


def test_a_given_mask_is_kept_to(photo):
    matrix, mask = place(256), np.zeros((256, 256), np.float32)
    crop = 255 - warp(photo, matrix, 256)
    assert np.array_equal(paste_crops(photo, [crop], [matrix], [mask]), photo)
    mask[100:156, 100:156] = 1
    assert not np.array_equal(paste_crops(photo, [crop], [matrix], [mask]), photo)


def test_a_crop_from_beside_the_photo_is_no_error(photo):
    matrix = place(64, centre=(2000, 2000))
    assert np.array_equal(paste_crops(photo, [np.zeros((64, 64, 3), np.uint8)], [matrix]), photo)


def test_mask_covers_the_face_and_ends_inside_the_crop():
    mask = crop_mask(256)
    assert mask[template_points(256, "restoration")[:, 1].astype(int), template_points(256, "restoration")[:, 0].astype(int)].min() == 1
    assert mask[0].max() == mask[:, 0].max() == mask[-1].max() == mask[:, -1].max() == 0
    assert np.abs(np.diff(mask, axis=0)).max() < 0.1


def test_overlapping_faces_each_keep_their_own():
    grey = np.full((240, 320, 3), 120, np.uint8)
    left, right = place(256, centre=(130, 120), degrees=0), place(256, centre=(190, 120), degrees=0)
    crops = [np.full((256, 256, 3), level, np.uint8) for level in (100, 140)]
    pasted = paste_crops(grey, crops, [left, right]).astype(int)
    other_way = paste_crops(grey, crops[::-1], [right, left]).astype(int)
    assert np.abs(pasted - other_way).max() <= 1  # nobody is pasted over anybody
    assert pasted[120, 120, 0] < 114 and pasted[120, 200, 0] > 126
    assert np.abs(np.diff(pasted[..., 0], axis=1)).max() <= 6  # and they meet softly


@pytest.mark.parametrize("apart", [(60, 0), (0, 60), (42, 42), (-42, 42)])
def test_overlapping_faces_each_keep_their_own_however_they_lie(apart):
    grey, step = np.full((240, 320, 3), 120, np.uint8), np.array(apart) / 2
    places = [place(256, face=70, centre=(160, 120) + side * step, degrees=20) for side in (-1, 1)]
    pasted = paste_crops(grey, [np.full((256, 256, 3), level, np.uint8) for level in (100, 140)], places).astype(int)
    (x0, y0), (x1, y1) = ((np.array([160, 120]) + side * step).astype(int) for side in (-1, 1))
    assert pasted[y0, x0, 0] < 114 and pasted[y1, x1, 0] > 126


def test_positions_in_a_crop_run_from_side_to_side():
    matrix = place(64)
    y, x = np.mgrid[30:40, 50:70].astype(float)
    expected = (transform_points(np.stack((x, y), -1), matrix) + 0.5) / 32 - 1
    assert np.abs(_Place(matrix, 64).coordinates(50, 30, 70, 40) - expected).max() < 1e-4


def test_a_change_of_tone_fades_over_a_wide_zone():
    grey = np.full((512, 512, 3), 120, np.uint8)
    matrix = place(256, face=200, centre=(256, 256), degrees=0)
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    crop = np.repeat((120 + 40 * np.exp(-(x**2 + y**2) / 0.5))[..., None], 3, 2).astype(np.uint8)
    pasted = paste_crops(grey, [crop], [matrix]).astype(int)
    assert np.abs(np.diff(pasted, axis=1)).max() <= 2
