"""Alignment, vertex errors, landmark errors, surface distances."""

from __future__ import annotations

import numpy as np
import pytest

from facerecon.metrics import landmark_nme, umeyama, vertex_errors
from facerecon.metrics.surfaces import chamfer_distance, mesh_edges, normal_consistency, sample_surface


def rotation(seed=0):
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


@pytest.fixture
def points():
    return np.random.default_rng(1).normal(size=(60, 3)) * (1, 2, 0.5)


def test_known_similarity_is_found_again(points):
    turned = 1.7 * points @ rotation().T + (3, -2, 5)
    scale, r, t = umeyama(points, turned)
    assert scale == pytest.approx(1.7) and np.allclose(r, rotation()) and np.allclose(t, (3, -2, 5))
    assert vertex_errors(points, turned).max() < 1e-9


def test_a_mirror_image_is_no_rotation(points):
    _, r, _ = umeyama(points, points * (-1, 1, 1))
    assert np.linalg.det(r) == pytest.approx(1)
    assert vertex_errors(points, points * (-1, 1, 1)).mean() > 0.1


@pytest.mark.parametrize("with_scale", [True, False])
def test_no_neighbour_fits_better(points, with_scale):
    target = points @ rotation().T * 1.2 + np.random.default_rng(2).normal(size=points.shape) * 0.3
    scale, r, t = umeyama(points, target, with_scale)

    def cost(s, m, shift):
        return ((s * points @ m.T + shift - target) ** 2).sum()

    best = cost(scale, r, t)
    for axis in range(3):
        for sign in (-1, 1):
            k = np.zeros((3, 3))
            k[axis - 2, axis - 1], k[axis - 1, axis - 2] = -sign * 1e-3, sign * 1e-3
            assert cost(scale, (np.eye(3) + k + k @ k / 2) @ r, t) > best
            assert cost(scale, r, t + sign * 1e-3 * np.eye(3)[axis]) > best
            if with_scale:
                assert cost(scale + sign * 1e-3, r, t) > best
    assert with_scale or scale == 1


def test_what_an_alignment_forgives(points):
    larger = 1.1 * points + (1, 0, 0)
    assert vertex_errors(points, larger, alignment="similarity").max() < 1e-9
    rigid, none = vertex_errors(points, larger, alignment="rigid"), vertex_errors(points, larger, alignment="none")
    assert 0.01 < rigid.mean() < none.mean()
    assert none == pytest.approx(np.sqrt(((points - larger) ** 2).sum(1)))


def test_vertices_outside_the_mask_do_not_matter(points):
    broken, mask = points.copy(), np.arange(60) < 40
    broken[~mask] += 100
    errors = vertex_errors(broken, points, mask)
    assert errors.shape == (40,) and errors.max() < 1e-9


def test_landmark_error_is_relative_to_the_true_box():
    truth = np.array([[0, 0], [40, 0], [40, 90], [0, 90], [10, 10]], float)
    predicted = truth + [[3, 4]] * 5
    assert landmark_nme(predicted, truth) == pytest.approx(5 / 60)
    both = landmark_nme(np.stack((predicted, truth)), np.stack((truth, truth)))
    assert both == pytest.approx([5 / 60, 0])
    with pytest.raises(ValueError):
        landmark_nme(predicted[:4], truth)


def slow_nearest(a, b):
    return np.array([min(range(len(b)), key=lambda j: ((p - b[j]) ** 2).sum()) for p in a])


def test_surface_distances_agree_with_slow_twins(points):
    rng = np.random.default_rng(3)
    others = rng.normal(size=(45, 3))
    n, m = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (rng.normal(size=(60, 3)), rng.normal(size=(45, 3))))
    there, back = slow_nearest(points, others), slow_nearest(others, points)
    distance = (np.linalg.norm(points - others[there], axis=1).mean() + np.linalg.norm(others - points[back], axis=1).mean()) / 2
    cosine = ((n * m[there]).sum(1).mean() + (m * n[back]).sum(1).mean()) / 2
    assert chamfer_distance(points, others) == pytest.approx(distance)
    assert normal_consistency(points, n, others, m) == pytest.approx(cosine)


def test_two_spheres():
    import trimesh

    mesh = trimesh.creation.icosphere(3, radius=1.0)
    a, na = sample_surface(mesh.vertices, mesh.faces, 4000)
    b, nb = sample_surface(mesh.vertices * 1.1, mesh.faces, 4000, seed=1)
    assert chamfer_distance(a, b) == pytest.approx(0.1, abs=0.012)
    assert normal_consistency(a, na, b, nb) > 0.99 and normal_consistency(a, na, b, -nb) < -0.99
    assert np.allclose((a * na).sum(1), 1, atol=0.02) and abs(a.mean(0)).max() < 0.05


def test_each_edge_of_a_mesh_is_there_once():
    assert mesh_edges(np.array([[0, 1, 2], [2, 1, 3]])).tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
