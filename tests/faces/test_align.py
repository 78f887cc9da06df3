"""Crops hold eyes and mouth at the template's places, free of aliasing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facerecon.faces import align
from facerecon.types import FaceReconError


def turned(points, degrees, scale, shift):
    angle = np.radians(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ linear.T + shift


@pytest.mark.parametrize("template", ["restoration", "reconstruction"])
@pytest.mark.parametrize("degrees", [-170, -30, 0, 45, 90])
def test_points_land_on_the_template(template, degrees):
    points = turned(align.template_points(256, template), degrees, 1.7, (300, -40))
    matrix = align.similarity_from_points(points, 256, template)
    assert np.allclose(align.transform_points(points, matrix), align.template_points(256, template), atol=1e-6)


@pytest.mark.parametrize("name", list(align.TEMPLATES))
def test_every_template_holds_an_upright_face_across_its_middle(name):
    eye, other, nose, corner, opposite = points = align.TEMPLATES[name]
    assert points.min() > 0.15 and points.max() < 0.9 and abs(points.mean(0)[0] - 0.5) < 0.02
    assert eye[0] < nose[0] < other[0] and max(eye[1], other[1]) < nose[1] < min(corner[1], opposite[1]) and corner[0] < opposite[0]


def test_resizing_averages_where_it_shrinks_and_leaves_a_fitting_image_alone():
    board = (np.indices((64, 64)).sum(0) % 2 * 255)[..., None].repeat(3, 2).astype(np.uint8)
    assert align.resize(board, 64) is board
    assert np.abs(align.resize(board, 32).astype(int) - 128).max() <= 1
    assert align.resize(board[:8, :8], 20).shape == (20, 20, 3)


def test_mirroring_exchanges_left_and_right():
    points = align.template_points(256, "restoration")
    mirrored = points[align.MIRROR_5] * (-1, 1) + (255, 0)
    assert np.abs(mirrored - points).max() < 5 < np.abs(points[:, 0] * -1 + 255 - points[:, 0]).max()
    assert np.array_equal(align.MIRROR_5[align.MIRROR_5], np.arange(5))


def test_least_squares_is_no_worse_than_its_neighbours():
    points = align.template_points(256, "restoration") + np.random.default_rng(0).normal(0, 12, (5, 2))
    target = align.template_points(160, "reconstruction")
    matrix = align.similarity_from_points(points, 160, "reconstruction")

    def error(m):
        return ((align.transform_points(points, m) - target) ** 2).sum()

    assert matrix[0, 0] == matrix[1, 1] and matrix[0, 1] == -matrix[1, 0]
    for da, db, dx, dy in np.eye(4).repeat(2, 0) * np.tile([1e-3, -1e-3], 4)[:, None]:
        moved = matrix + [[da, -db, dx], [db, da, dy]]
        assert error(moved) > error(matrix)


def test_templates_scale_with_the_crop_about_its_centre():
    small, large = (align.template_points(s, "restoration") for s in (128, 512))
    assert np.allclose((small + 0.5) / 128, (large + 0.5) / 512)
    tight, loose = (align.template_points(160, t) for t in ("restoration", "reconstruction"))
    assert np.ptp(loose, axis=0).max() < np.ptp(tight, axis=0).max()


def test_bad_points_and_names_are_refused():
    with pytest.raises(FaceReconError, match="coincide"):
        align.similarity_from_points(np.ones((5, 2)), 256)
    with pytest.raises(FaceReconError, match="template"):
        align.similarity_from_points(np.eye(5, 2), 256, "ffhq512")


def test_invert_goes_back():
    matrix = np.array([[0.3, -0.2, 5.0], [0.2, 0.3, -7.0]])
    points = np.random.default_rng(0).normal(size=(6, 2)) * 50
    assert np.allclose(align.transform_points(align.transform_points(points, matrix), align.invert(matrix)), points)


def test_identity_warp_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    assert np.array_equal(align.warp(image, np.eye(2, 3), 40), image)


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_shrinking_averages_as_a_box_filter_does(factor):
    image = np.random.default_rng(0).integers(0, 256, (24 * factor, 24 * factor, 3)).astype(np.uint8)
    matrix = np.array([[1 / factor, 0, 0.5 / factor - 0.5], [0, 1 / factor, 0.5 / factor - 0.5]])
    slow = image.reshape(24, factor, 24, factor, 3).astype(float).mean((1, 3))
    assert np.abs(align.warp(image, matrix, 24).astype(float) - slow).max() <= 1


def test_fine_stripes_turn_grey_not_to_moire():
    stripes = np.zeros((900, 900, 3), np.uint8)
    stripes[:, ::2] = 255
    angle, k = np.radians(20), 0.13
    matrix = np.array([[k * np.cos(angle), -k * np.sin(angle), 30], [k * np.sin(angle), k * np.cos(angle), -10]])
    inside = align.warp(stripes, matrix, 100)[30:70, 30:70].astype(float)
    assert np.abs(inside - 127.5).max() < 12


def test_a_smooth_picture_keeps_its_place_when_enlarged():
    y, x = np.mgrid[:60, :60].astype(np.float32)
    image = np.stack((x, y), -1)
    matrix = np.array([[2.5, -0.5, -20.0], [0.5, 2.5, -30.0]])
    out = align.warp(image, matrix, (90, 70))
    assert out.shape == (70, 90, 2)
    v, u = np.mgrid[10:60, 10:80]
    expected = align.transform_points(np.stack((u, v), -1).astype(float), align.invert(matrix))
    assert np.abs(out[10:60, 10:80] - expected).max() < 0.05


def test_outside_the_photo_is_mirrored():
    image = np.arange(10, dtype=np.uint8)[None].repeat(10, 0) * 20
    out = align.warp(image, np.array([[1.0, 0, 4], [0, 1, 0]]), (8, 10), border=cv2.BORDER_REFLECT_101)
    assert out[5].tolist() == [80, 60, 40, 20, 0, 20, 40, 60]


def test_five_points_of_68_landmarks():
    landmarks = np.zeros((2, 68, 2))
    landmarks[:, 36:42], landmarks[:, 42:48] = np.array([10, 20]), np.array([50, 21])
    landmarks[:, 36] += (-6, 0)
    landmarks[:, 39] += (6, 0)
    landmarks[:, 30], landmarks[:, 48], landmarks[:, 54] = (30, 40), (15, 60), (45, 61)
    expected = [[10, 20], [50, 21], [30, 40], [15, 60], [45, 61]]
    assert np.allclose(align.points_from_landmarks(landmarks), [expected, expected])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_the_smallest_images_are_no_trap(shape):
    out = align.warp(np.full((*shape, 3), 7, np.uint8), np.array([[1.0, 0, 30], [0, 1, 30]]), 64)
    assert (out == 7).all()


@pytest.mark.parametrize("factor", [0.4, 1, 3])
def test_a_map_from_the_image_at_another_size_lands_at_the_same_place(factor):
    matrix = np.array([[0.9, 0.2, -7.0], [-0.2, 0.9, 30.0]])
    points = np.array([[0.0, 0.0], [120.0, 40.0], [33.3, 250.0]])
    elsewhere = (points + 0.5) * factor - 0.5
    assert np.allclose(align.transform_points(elsewhere, align.for_scaled(matrix, factor)), align.transform_points(points, matrix))
