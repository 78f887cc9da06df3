"""Geometry of the registration, on a small sphere and a plane."""

from __future__ import annotations

import numpy as np
import pytest

from train.head.surface import boundary_loop, closest_points, cut_plane, follow_nearby, openness


@pytest.fixture
def grid() -> tuple[np.ndarray, np.ndarray]:
    """A flat grid of 6 x 6 vertices in the plane z = 0, facing +z."""
    x, y = np.meshgrid(np.arange(6.0), np.arange(6.0))
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(36)], axis=1)
    corner = (np.arange(5)[:, None] * 6 + np.arange(5)).ravel()
    lower = np.stack([corner, corner + 1, corner + 7], axis=1)
    return vertices, np.concatenate([lower, np.stack([corner, corner + 7, corner + 6], axis=1)])


def test_closest_points_land_inside_edges_and_corners(grid) -> None:
    vertices, faces = grid
    points = np.array([[2.3, 1.6, 0.7], [-1.0, 2.5, 0.0], [7.0, 7.0, 1.0]])
    found = closest_points(points, vertices, faces)
    places = (vertices[found.triangles] * found.barycentric[..., None]).sum(1)
    assert np.allclose(places, [[2.3, 1.6, 0], [0, 2.5, 0], [5, 5, 0]])
    assert np.allclose(found.matrix(36) @ vertices, places)


def test_closest_points_refuse_the_far_and_the_averted(grid) -> None:
    vertices, faces = grid
    points, toward = np.array([[2.0, 2.0, 0.5]]), np.array([[0.0, 0.0, 1.0]])
    assert closest_points(points, vertices, faces, toward).found.all()
    assert not closest_points(points, vertices, faces, -toward).found.any()
    assert not closest_points(points, vertices, faces, reach=0.1).found.any()


def test_a_plane_cuts_every_row_of_edges(grid) -> None:
    vertices, faces = grid
    triangles, barycentric = cut_plane(vertices, faces, 2.5)
    places = (vertices[triangles] * barycentric[..., None]).sum(1)
    assert np.allclose(places[:, 0], 2.5, atol=1e-6)
    assert places[:, 1].min() == pytest.approx(0) and places[:, 1].max() == pytest.approx(5)


def test_border_of_two_regions_is_one_ordered_loop(grid) -> None:
    vertices, faces = grid
    inner = (np.abs(vertices[faces].mean(1)[:, :2] - 2.5) < 1.5).all(1)
    loop = boundary_loop(faces[~inner], faces[inner])
    assert len(loop) == len(set(loop)) == 12
    assert np.linalg.norm(np.diff(vertices[loop], axis=0), axis=1).max() == pytest.approx(1)


def test_unknown_vertices_follow_those_of_their_side(grid) -> None:
    vertices, faces = grid
    side = (vertices[:, 0] > 2.5).astype(int)
    known = ~np.isin(np.arange(36), [14, 15])
    values = np.where(side[:, None] == 1, [[0.0, 0.0, 1.0]], [[0.0, 0.0, -1.0]])
    values[~known] = 9.0
    followed = follow_nearby(vertices, faces, known, values, side, neighbours=3)
    assert followed[14, 2] < -0.4 and followed[15, 2] > 0.4
    assert np.array_equal(followed[known], values[known])


def test_openness_sees_what_stands_in_the_way(grid) -> None:
    vertices, faces = grid
    points = np.array([[2.6, 2.4, -1.0], [2.6, 2.4, 1.0]])
    assert np.allclose(openness(points, np.array([[0.0, 0.0, 1.0]]), vertices, faces), [0.0, 1.0])
