"""Lays the head's topology over the ICT neutral, so that ICT's modes can be carried over.

Non-rigid ICP (after Amberg et al., CVPR 2007): the head's mean adult is bent
toward the ICT surface by point-to-plane distances in both directions, held
together by a membrane and a bending term that loosen step by step. Rims that
closest points get wrong are tied by hand-made curves: the edge of each eyelid
and the line where the lips meet, upper and lower apart. Everything is kept
left-right symmetrical.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from facerecon.metrics.surfaces import distances_along
from facerecon.rendering import mesh_normals
from train.head.ict import FACE_END, MOUTH_END, SKIN_END, SOCKETS_END, IctModel
from train.head.surface import SurfacePoints, boundary_loop, closest_points, cut_plane, edge_differences, uniform_laplacian
from train.head.topology import Topology

RIM_POSITIONS = np.linspace(0.1, 0.9, 15)
"""Where along an eyelid or lip, from corner to corner, its edge is tied."""

SCHEDULE = (  # steps, membrane, bending, weight of the rims, reach in metres
    (6, 30.0, 60.0, 3.0, 0.03),
    (8, 5.0, 15.0, 5.0, 0.02),
    (8, 1.0, 5.0, 5.0, 0.012),
    (8, 0.2, 1.5, 5.0, 0.008),
    (6, 0.05, 0.5, 5.0, 0.006),
)

LANDMARKS = (8, 27, 28, 29, 30, 31, 33, 35, 48, 51, 54, 57)
"""iBUG landmarks that steer the first steps."""

TANGENTIAL = 0.1
"""Weight of the distance along the surface, beside 1 for the distance off it."""


@dataclass(frozen=True)
class Ties:
    """Pairs of surface points: ``ours`` on the head, ``theirs`` positions (N, 3) on ICT."""

    ours: SurfacePoints
    theirs: np.ndarray


def rim_points(vertices: np.ndarray, faces: np.ndarray, corners: np.ndarray, upper: bool) -> SurfacePoints:
    """The edge of an upper or lower lid or lip.

    For planes across the opening from corner to corner, the lowest point of the
    upper side's skin, or the highest of the lower side's.

    Args:
        faces: skin triangles of that side, near the opening.
        corners: (2, 3) the opening's corners.
    """
    triangles, weights = [], []
    tolerance = 0.12 * np.linalg.norm(corners[1] - corners[0])
    for t in RIM_POSITIONS:
        x, y = (1 - t) * corners[0, :2] + t * corners[1, :2]
        crossing, barycentric = cut_plane(vertices, faces, x)
        heights = ((vertices[crossing, 1] * barycentric).sum(1) - y) * (1 if upper else -1)
        best = np.where(heights > -tolerance, heights, np.inf).argmin()
        triangles.append(crossing[best])
        weights.append(barycentric[best])
    return SurfacePoints(np.array(triangles), np.array(weights), np.ones(len(RIM_POSITIONS), dtype=bool))


@dataclass(frozen=True)
class Opening:
    """An eye's or the mouth's opening: its ``corners`` (2, 3) and the skin triangles above and below it."""

    corners: np.ndarray
    upper: np.ndarray
    lower: np.ndarray


def border_arcs(vertices: np.ndarray, skin: np.ndarray, inner: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The corners (2, 3) of an opening, in order of x, and its upper and lower border without them."""
    loop = boundary_loop(skin, inner)
    first, last = sorted((int(vertices[loop, 0].argmin()), int(vertices[loop, 0].argmax())))
    arcs = [loop[first + 1 : last], np.concatenate([loop[last + 1 :], loop[:first]])]
    arcs.sort(key=lambda arc: -vertices[arc, 1].mean())
    corners = vertices[loop[[first, last]]]
    return corners[corners[:, 0].argsort()], arcs


def find_opening(vertices: np.ndarray, skin: np.ndarray, inner: np.ndarray) -> Opening:
    """Splits the skin around an opening by whether it is nearer, along the mesh, to its upper or lower border."""
    corners, arcs = border_arcs(vertices, skin, inner)
    middle, width = corners.mean(0), np.linalg.norm(corners[1] - corners[0])
    offset = vertices[skin].mean(1) - middle
    near = skin[(np.linalg.norm(offset, axis=1) < 0.75 * width) & (np.abs(offset[:, 1]) < 0.3 * width)]
    above, below = distances_along(vertices, near, arcs)
    return Opening(corners, near[(above < below)[near].all(1)], near[(below < above)[near].all(1)])


def rim_ties(head: np.ndarray, topology: Topology, ict: IctModel) -> Ties:
    """Ties of the eyelids' edges and the lips' meeting line."""
    ours = topology.faces[np.isin(topology.parts, ["head", "neck"])]
    theirs = ict.faces_within(0, SKIN_END)
    ranges = {
        "eye_cavity.L": (MOUTH_END, (MOUTH_END + SOCKETS_END) // 2),
        "eye_cavity.R": ((MOUTH_END + SOCKETS_END) // 2, SOCKETS_END),
        "mouth_cavity": (SKIN_END, MOUTH_END),
    }
    found, targets = [], []
    for part, (start, stop) in ranges.items():
        inner = ict.faces[(ict.faces < SOCKETS_END).all(1) & ((ict.faces >= start) & (ict.faces < stop)).any(1)]
        our = find_opening(head, ours, topology.faces[topology.parts == part])
        their = find_opening(ict.neutral, theirs, inner)
        for upper in (True, False):
            found.append(rim_points(head, our.upper if upper else our.lower, our.corners, upper))
            points = rim_points(ict.neutral, their.upper if upper else their.lower, their.corners, upper)
            targets.append((ict.neutral[points.triangles] * points.barycentric[..., None]).sum(1))
    points = SurfacePoints(*(np.concatenate([getattr(f, n) for f in found]) for n in ("triangles", "barycentric", "found")))
    return Ties(points, np.concatenate(targets))


def symmetrise(displacement: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Mean of a displacement (V, 3) and its mirror image."""
    return 0.5 * (displacement + displacement[mirror] * [-1, 1, 1])


def _plane_rows(operator: sparse.csr_matrix, normals: np.ndarray, weight: np.ndarray) -> sparse.csr_matrix:
    """Rows of ``w (n . d)`` for displacements interleaved x, y, z, with a small tangential part."""
    count = len(normals)
    eye = sparse.kron(operator, sparse.identity(3), format="csr")
    blocks = sparse.csr_matrix(
        ((weight[:, None] * normals).ravel(), (np.repeat(np.arange(count), 3), np.arange(3 * count))), (count, 3 * count)
    )
    tangential = sparse.diags(np.repeat(weight * TANGENTIAL, 3))
    return sparse.vstack([blocks @ eye, tangential @ eye]).tocsr()


class Registration:
    """Bends a start (V, 3) of the skin's vertices to the ICT neutral; ``run`` gives the result."""

    def __init__(self, start: np.ndarray, topology: Topology, ict: IctModel, landmarks: SurfacePoints) -> None:
        """``start`` is already aligned; ``landmarks`` are the 68 points on it."""
        count = topology.blocks["skin"].stop
        self.start, self.count, self.ict = start[:count], count, ict
        self.mirror = topology.mirror[:count]
        self.outer = topology.faces[np.isin(topology.parts, ["head", "neck"])]
        self.all = topology.faces[(topology.faces < count).all(1)]
        self.target = ict.faces_within(0, SKIN_END)
        self.target_normals = mesh_normals(ict.neutral, self.target)
        self.rims = rim_ties(start, topology, ict)
        chosen = np.array(LANDMARKS)
        self.landmarks = Ties(
            SurfacePoints(*(getattr(landmarks, n)[chosen] for n in ("triangles", "barycentric", "found"))),
            ict.neutral[ict.landmarks[chosen]],
        )
        self.used = np.zeros(count, dtype=bool)
        self.used[self.outer] = True

    def run(self) -> np.ndarray:
        """The bent skin, (V_skin, 3)."""
        displacement = np.zeros_like(self.start)
        gradient = sparse.kron(edge_differences(self.all, self.count), sparse.identity(3), format="csr")
        bending = sparse.kron(uniform_laplacian(self.all, self.count), sparse.identity(3), format="csr")
        for stage, (steps, membrane, bend, rim, reach) in enumerate(SCHEDULE):
            smooth = membrane * (gradient.T @ gradient) + bend * (bending.T @ bending)
            for _ in range(steps):
                rows, right = self._data(displacement, rim, 2.0 if stage < 2 else 0.3 if stage < 4 else 0.0, reach)
                system = rows.T @ rows + smooth + 1e-6 * sparse.identity(3 * self.count)
                solved = splu(system.tocsc()).solve(rows.T @ right).reshape(-1, 3)
                displacement = symmetrise(solved, self.mirror)
        return self.start + displacement

    def _data(self, displacement: np.ndarray, rim: float, landmark: float, reach: float):
        """Stacked data rows and right-hand sides for the current state."""
        now = self.start + displacement
        normals = mesh_normals(now, self.outer)
        index = np.flatnonzero(self.used)
        there = closest_points(now[index], self.ict.neutral, self.target, normals[index], reach=reach)
        index, there = index[there.found], _keep(there)
        goal = (self.ict.neutral[there.triangles] * there.barycentric[..., None]).sum(1)
        normal = _unit((self.target_normals[there.triangles] * there.barycentric[..., None]).sum(1))
        forward = _plane_rows(_select(index, self.count), normal, np.ones(len(index)))

        back = np.arange(0, FACE_END, 2)
        here = closest_points(self.ict.neutral[back], now, self.outer, self.target_normals[back], reach=reach)
        back, here = back[here.found], _keep(here)
        backward = _plane_rows(here.matrix(self.count), self.target_normals[back], np.full(len(back), 0.7))
        rows = [forward, backward]
        rights = [
            self._right(_select(index, self.count), normal, np.ones(len(index)), goal),
            self._right(here.matrix(self.count), self.target_normals[back], np.full(len(back), 0.7), self.ict.neutral[back]),
        ]
        for ties, weight in ((self.rims, rim), (self.landmarks, landmark)):
            matrix = ties.ours.matrix(self.count)
            rows.append(weight * sparse.kron(matrix, sparse.identity(3), format="csr"))
            rights.append(weight * (ties.theirs - matrix @ self.start).ravel())
        return sparse.vstack(rows).tocsr(), np.concatenate(rights)

    def _right(self, operator, normals, weight, goal) -> np.ndarray:
        wanted = goal - operator @ self.start
        along = weight * (wanted * normals).sum(1)
        return np.concatenate([along, (weight[:, None] * TANGENTIAL * wanted).ravel()])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-15)


def _keep(points: SurfacePoints) -> SurfacePoints:
    return SurfacePoints(points.triangles[points.found], points.barycentric[points.found], points.found[points.found])


def _select(index: np.ndarray, count: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(len(index)), (np.arange(len(index)), index)), (len(index), count))


def correspondence(bent: np.ndarray, topology: Topology, ict: IctModel, reach: float = 0.004) -> sparse.csr_matrix:
    """Interpolates ICT's vertices at the head's skin vertices.

    Returns:
        (V_skin, N) symmetrised matrix; rows of vertices without a counterpart
        (sockets, mouth cavity, too far off) are empty.
    """
    count = len(bent)
    outer = topology.faces[np.isin(topology.parts, ["head", "neck"])]
    normals = mesh_normals(bent, outer)
    index = np.unique(outer)
    points = closest_points(bent[index], ict.neutral, ict.faces_within(0, SKIN_END), normals[index], 0.0, reach)
    found = np.zeros(count, dtype=bool)
    found[index] = points.found
    found &= found[topology.mirror[:count]]
    matrix = _select(index, count).T @ points.matrix(len(ict.neutral))
    swapped = matrix[topology.mirror[:count]][:, ict.mirror]
    return (sparse.diags(found.astype(float)) @ (0.5 * (matrix + swapped))).tocsr()
