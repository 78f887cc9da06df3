from __future__ import annotations

import numpy as np
import pytest

from facerecon.metrics.landmarks import interocular_nme
from facerecon.metrics.scans import face_area, region_errors, scan_distances, summary
from facerecon.metrics.surfaces import SurfaceFinder


def bowl(bump: float = 0.0, side: int = 40):
    """A curved square patch, millimetres, as vertices and triangles; ``bump`` raises its middle."""
    x, y = np.meshgrid(np.linspace(-70, 70, side), np.linspace(-70, 70, side))
    z = 40 - 0.006 * (x**2 + 1.4 * y**2) + 8 * np.exp(-((x - 10) ** 2 + (y + 6) ** 2) / 200)
    z += bump * np.exp(-(x**2 + y**2) / 900)
    i = np.arange(side * side).reshape(side, side)
    a, b, c, d = i[:-1, :-1].ravel(), i[:-1, 1:].ravel(), i[1:, :-1].ravel(), i[1:, 1:].ravel()
    return np.stack([x, y, z], -1).reshape(-1, 3), np.concatenate([np.c_[a, b, c], np.c_[b, d, c]])


MARKS = np.array([[-44, 30], [-16, 30], [16, 30], [44, 30], [0, -8], [-22, -34], [22, -34]], float)


def marks_on(vertices):
    return vertices[[np.linalg.norm(vertices[:, :2] - mark, axis=1).argmin() for mark in MARKS]]


def turned(points, degrees=25.0, scale=0.001):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return scale * points @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T + [0.3, -0.1, 0.2]


def test_the_distance_of_a_point_from_a_triangle_is_exact():
    finder = SurfaceFinder(np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0.0]]), np.array([[0, 1, 2]]))
    places, distances = finder.nearest(np.array([[0.5, 0.5, 3.0], [-3.0, -4.0, 0], [2.0, 2.0, 0]]))
    assert distances == pytest.approx([3, 5, np.sqrt(2)])
    assert np.allclose(places, [[0.5, 0.5, 0], [0, 0, 0], [1, 1, 0]])


def test_a_reconstruction_in_another_place_and_size_has_no_error():
    vertices, faces = bowl()
    marks = marks_on(vertices)
    rough = turned(marks) + np.random.default_rng(0).normal(0, 0.002, (7, 3))  # 2 mm: landmarks are never exact
    distances = scan_distances(vertices, marks, turned(vertices), faces, rough)
    assert distances.mean() < 0.05
    centre, radius = face_area(marks)
    assert len(distances) == (np.linalg.norm(vertices - centre, axis=1) <= radius).sum() < len(vertices)


def test_a_bump_shows_and_a_wrong_size_only_in_the_metrical_protocol():
    vertices, faces = bowl()
    marks, (raised, _) = marks_on(vertices), bowl(bump=6.0)
    off = scan_distances(vertices, marks, turned(raised), faces, turned(marks_on(raised)))
    assert 0.5 < off.mean() < 3 and off.max() > 1.5
    large = 1.1 * vertices
    free, metrical = (scan_distances(vertices, marks, large, faces, 1.1 * marks, metrical=m) for m in (False, True))
    assert free.mean() < 0.05 and metrical.mean() > 0.5


def test_the_summary_counts_all_points_alike():
    found = summary([np.array([1.0, 1, 1]), np.array([5.0])])
    assert found == {"scans": 2, "median_mm": 1.0, "mean_mm": 2.0, "std_mm": pytest.approx(np.sqrt(3))}


def test_regions_are_aligned_each_for_itself():
    vertices, faces = bowl()
    marks68 = np.zeros((68, 3))
    marks68[[36, 39, 42, 45, 33, 48, 54]] = marks_on(vertices)
    raised, _ = bowl(bump=8.0)
    parts = {"forehead": vertices[vertices[:, 1] > 40], "nose": vertices[np.abs(vertices[:, :2]).max(1) < 25]}
    errors = region_errors(parts, marks68, turned(raised), faces, turned(marks68), scale_mm=2.0)
    assert errors["forehead"] < 0.5 < errors["nose"]
    assert region_errors(parts, marks68, turned(vertices), faces, turned(marks68))["nose"] < 0.05


def test_the_interocular_norm_counts_the_inner_points_alone():
    truth = np.random.default_rng(0).uniform(0, 100, (68, 2))
    truth[36], truth[45] = (0, 0), (0, 50)
    off = truth.copy()
    off[:17] += 30
    assert interocular_nme(off, truth) == pytest.approx(0)
    off[17:] += (3, 4)
    assert interocular_nme(off, truth) == pytest.approx(0.1)
