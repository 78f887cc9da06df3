"""Geometry that registration needs: closest points, loops, smoothness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from facerecon.metrics.surfaces import closest_barycentric, face_normals, mesh_edges

CANDIDATES = 16
"""Triangles tried for each closest-point query, nearest centroids first."""


@dataclass(frozen=True)
class SurfacePoints:
    """Points on a mesh: ``triangles`` (N, 3) vertex indices, ``barycentric`` (N, 3), ``found`` (N,) bool."""

    triangles: np.ndarray
    barycentric: np.ndarray
    found: np.ndarray

    def matrix(self, count: int) -> sparse.csr_matrix:
        """(N, count) interpolation matrix; rows not found are empty."""
        rows = np.repeat(np.arange(len(self.triangles)), 3)
        weights = (self.barycentric * self.found[:, None]).ravel()
        return sparse.csr_matrix((weights, (rows, self.triangles.ravel())), (len(self.triangles), count))


def closest_points(
    points: np.ndarray, vertices: np.ndarray, faces: np.ndarray,
    normals: np.ndarray | None = None, agreement: float = 0.3, reach: float = np.inf,
) -> SurfacePoints:
    """Closest point of a mesh to each point.

    Args:
        points: (N, 3); ``normals`` (N, 3), where given, must agree with the triangle's
            (cosine above ``agreement``).
        vertices, faces: the mesh.
        reach: farther points count as not found.
    """
    corners = vertices[faces]
    candidates = cKDTree(corners.mean(1)).query(points, k=min(CANDIDATES, len(faces)))[1]
    barycentric = closest_barycentric(points[:, None], corners[candidates])
    places = (corners[candidates] * barycentric[..., None]).sum(2)
    distance = np.linalg.norm(places - points[:, None], axis=-1)
    if normals is not None:
        facing = (face_normals(vertices, faces)[candidates] * normals[:, None]).sum(-1)
        distance = np.where(facing > agreement, distance, np.inf)
    best = distance.argmin(1)
    row = np.arange(len(points))
    return SurfacePoints(faces[candidates[row, best]], barycentric[row, best], distance[row, best] < reach)


def uniform_laplacian(faces: np.ndarray, count: int) -> sparse.csr_matrix:
    """(V, V) Laplacian whose rows compare a vertex with the mean of its neighbours."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    adjacency = sparse.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (count, count))
    adjacency.data[:] = 1
    degree = np.maximum(np.asarray(adjacency.sum(1)).ravel(), 1)
    return sparse.identity(count, format="csr") - sparse.diags(1 / degree) @ adjacency


def edge_differences(faces: np.ndarray, count: int) -> sparse.csr_matrix:
    """(E, V) difference operator over the mesh's edges."""
    edges = mesh_edges(faces)
    rows = np.repeat(np.arange(len(edges)), 2)
    return sparse.csr_matrix((np.tile([1.0, -1.0], len(edges)), (rows, edges.ravel())), (len(edges), count))


def boundary_loop(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Ordered vertices of the closed border between two sets of triangles."""
    def edge_set(faces: np.ndarray) -> set:
        edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        return {tuple(edge) for edge in np.sort(edges, axis=1).tolist()}

    neighbours: dict[int, list[int]] = {}
    for a, b in edge_set(inside) & edge_set(outside):
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    loop = [min(neighbours)]
    while True:
        onward = [v for v in neighbours[loop[-1]] if v not in loop[-2:] and (len(loop) < 3 or v != loop[0])]
        onward = [v for v in onward if v not in loop]
        if not onward:
            return np.array(loop)
        loop.append(onward[0])


def cut_plane(vertices: np.ndarray, faces: np.ndarray, x: float) -> tuple[np.ndarray, np.ndarray]:
    """Where triangle edges cross the plane at ``x``: their triangles (N, 3) and barycentrics (N, 3)."""
    side = vertices[faces][..., 0] - x + 1e-7  # clear of vertices that lie in the plane of symmetry
    triangles, weights = [], []
    for i, j in ((0, 1), (1, 2), (2, 0)):
        crosses = np.flatnonzero(side[:, i] * side[:, j] < 0)
        t = side[crosses, i] / (side[crosses, i] - side[crosses, j])
        barycentric = np.zeros((len(crosses), 3))
        barycentric[:, i], barycentric[:, j] = 1 - t, t
        triangles.append(faces[crosses])
        weights.append(barycentric)
    return np.concatenate(triangles), np.concatenate(weights)


def follow_nearby(
    points: np.ndarray, faces: np.ndarray, known: np.ndarray, values: np.ndarray, side: np.ndarray, neighbours: int = 40
) -> np.ndarray:
    """Lets inner vertices follow the known ones around them in space, then evens them out along the mesh.

    Nearness in space keeps the walls of the mouth and of the eye sockets behind
    the skin that covers them, where an extrapolation along the mesh would not.

    Args:
        points: (V, 3) rest positions.
        faces: (F, 3) triangles among them.
        known: (V,) bool, where ``values`` (V, C) hold.
        side: (V,) whole numbers; a vertex follows only those of its own side.
    """
    result = values.copy()
    for label in np.unique(side[~known]):
        wanted, source = ~known & (side == label), known & (side == label)
        distance, nearest = cKDTree(points[source]).query(points[wanted], k=neighbours)
        weight = 1 / (distance + 2e-3) ** 2
        weight /= weight.sum(1, keepdims=True)
        result[wanted] = (values[source][nearest] * weight[..., None]).sum(1)
    even = uniform_laplacian(faces, len(points))[np.flatnonzero(~known)]
    for _ in range(3):
        result[~known] -= 0.5 * (even @ result)
    return result


def soft_mask(mask: np.ndarray, faces: np.ndarray, steps: int = 4) -> np.ndarray:
    """A mask (V,) in [0, 1] that fades inward from its border."""
    soft = mask.astype(float)
    laplacian = uniform_laplacian(faces, len(mask))
    for _ in range(steps):
        soft = np.minimum(soft - laplacian @ soft, mask)
    return soft


def openness(points: np.ndarray, directions: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Share of directions (D, 3) in which each point (N, 3) sees no triangle of the mesh."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    edge1, edge2 = b - a, c - a
    free = np.zeros(len(points))
    for direction in directions:
        p = np.cross(direction, edge2)
        determinant = (edge1 * p).sum(1)
        inverse = 1 / np.where(np.abs(determinant) < 1e-18, np.inf, determinant)
        start = points[:, None] - a
        u = (start * p).sum(-1) * inverse
        q = np.cross(start, edge1)
        v = (q @ direction) * inverse
        t = (q * edge2).sum(-1) * inverse
        free += ~((u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-4)).any(1)
    return free / len(directions)
