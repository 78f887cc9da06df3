"""Distances on surfaces, and between surfaces without correspondence. Needs scipy."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

CANDIDATES = 12
"""Triangles tried for each nearest point, nearest centroids first."""


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (F, 3) of triangles (F, 3) of vertices (V, 3), zero where a triangle is only an edge."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-15)


def mesh_edges(faces: np.ndarray) -> np.ndarray:
    """Edges (E, 2) of triangles (F, 3), each once, its smaller vertex first."""
    return np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0)


def distances_along(vertices: np.ndarray, faces: np.ndarray, arcs: list[np.ndarray]) -> list[np.ndarray]:
    """Distance (V,) along the mesh's edges from each of several sets of vertices; infinite where no edge leads."""
    edges = mesh_edges(faces)
    lengths = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    graph = sparse.csr_matrix((lengths, (edges[:, 0], edges[:, 1])), (len(vertices),) * 2)
    return [dijkstra(graph, directed=False, indices=arc, min_only=True) for arc in arcs]


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


def closest_barycentric(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Barycentrics (..., 3) of the closest point of each triangle (..., 3, 3) to each point (..., 3)."""
    shape = np.broadcast_shapes(points.shape[:-1], corners.shape[:-2])
    best = np.full(shape, np.inf)
    result = np.zeros(shape + (3,))
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = (ab * ab).sum(-1), (ab * ac).sum(-1), (ac * ac).sum(-1)
    d20, d21 = (ap * ab).sum(-1), (ap * ac).sum(-1)
    area = d00 * d11 - d01 * d01  # squared, times four; nothing where a triangle is only an edge
    denominator = np.maximum(area, 1e-30)
    v, w = (d11 * d20 - d01 * d21) / denominator, (d00 * d21 - d01 * d20) / denominator
    inside = (v >= 0) & (w >= 0) & (v + w <= 1) & (area > 1e-20)
    interior = np.stack([1 - v - w, v, w], axis=-1)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        start, edge = corners[..., i, :], corners[..., j, :] - corners[..., i, :]
        t = np.clip(((points - start) * edge).sum(-1) / np.maximum((edge * edge).sum(-1), 1e-30), 0, 1)
        distance = ((start + t[..., None] * edge - points) ** 2).sum(-1)
        better = distance < best
        best = np.where(better, distance, best)
        weights = np.zeros(result.shape)
        weights[..., i], weights[..., j] = 1 - t, t
        result = np.where(better[..., None], weights, result)
    return np.where(inside[..., None], interior, result)


class SurfaceFinder:
    """Nearest points of a triangle mesh, exact but for slivers much longer than their neighbours.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        self.corners = np.asarray(vertices, np.float64)[faces]
        self._tree = cKDTree(self.corners.mean(1))

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The surface's points (N, 3) nearest to points (N, 3), and their distances (N,)."""
        triangles, weights = self.embed(points)
        places = (self.corners[triangles] * weights[..., None]).sum(1)
        return places, np.linalg.norm(places - points, axis=-1)

    def embed(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same as rows (N,) of ``faces`` and barycentrics (N, 3)."""
        candidates = self._tree.query(points, k=min(CANDIDATES, len(self.corners)))[1].reshape(len(points), -1)
        weights = closest_barycentric(points[:, None], self.corners[candidates])
        places = (self.corners[candidates] * weights[..., None]).sum(2)
        best, row = np.linalg.norm(places - points[:, None], axis=-1).argmin(1), np.arange(len(points))
        return candidates[row, best], weights[row, best]
