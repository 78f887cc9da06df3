"""Distances between surfaces without correspondence. Needs scipy (requirements-train.txt)."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree


def sample_surface(vertices: np.ndarray, faces: np.ndarray, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points spread evenly over a mesh, with the normals of their triangles.

    Args:
        vertices: (V, 3).
        faces: (F, 3), counter-clockwise from outside.

    Returns:
        points (count, 3) and unit normals (count, 3), float64.
    """
    rng = np.random.default_rng(seed)
    corners = np.asarray(vertices, np.float64)[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=1)
    chosen = rng.choice(len(faces), count, p=areas / areas.sum())
    a, b = rng.uniform(size=(2, count, 1))
    a, b = np.where(a + b > 1, 1 - a, a), np.where(a + b > 1, 1 - b, b)
    triangle = corners[chosen]
    points = triangle[:, 0] + a * (triangle[:, 1] - triangle[:, 0]) + b * (triangle[:, 2] - triangle[:, 0])
    return points, normals[chosen] / areas[chosen, None]


def chamfer_distance(points: np.ndarray, others: np.ndarray) -> float:
    """Mean distance to the nearest point of the other set, averaged over both directions.

    Args:
        points: (N, 3).
        others: (M, 3).

    Returns:
        In the unit given; not squared.
    """
    there, _ = cKDTree(others).query(points)
    back, _ = cKDTree(points).query(others)
    return float((there.mean() + back.mean()) / 2)


def normal_consistency(points: np.ndarray, normals: np.ndarray, others: np.ndarray, other_normals: np.ndarray) -> float:
    """Mean cosine between each point's normal and that of its nearest point, over both directions.

    Args:
        points, normals: (N, 3), the normals of unit length.
        others, other_normals: (M, 3).

    Returns:
        1 for surfaces that face the same way everywhere, -1 for one turned inside out.
    """
    _, nearest = cKDTree(others).query(points)
    _, nearest_back = cKDTree(points).query(others)
    there = (normals * other_normals[nearest]).sum(1)
    back = (other_normals * normals[nearest_back]).sum(1)
    return float((there.mean() + back.mean()) / 2)
