"""Lays the head over a face scan: rigidly, within its basis, then freely.

Optimal-step non-rigid ICP (Amberg, Romdhani and Vetter, CVPR 2007) with offsets in place of
affine maps: stage by stage the offsets are held together less, and a stage ends when they stand
still. It starts from the head's own shapes, fitted by point-to-plane ICP with robust weights, so
that noise and holes are met by what heads are like and correspondence by what they have in common.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations, product

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg
from scipy.spatial import cKDTree

from facerecon.head import HeadModel
from facerecon.metrics.geometry import umeyama
from facerecon.metrics.surfaces import sample_surface
from facerecon.rendering import mesh_normals
from facerecon.types import FaceReconError
from train.head.surface import closest_points, edge_differences, follow_nearby, uniform_laplacian

SEARCH_REACH = (np.inf,) * 6 + (0.05,) * 4 + (0.03,) * 3 + (0.02,) * 2  # metres: scan points farther off take no part
RIGID_REACH = (0.03,) * 4 + (0.015,) * 6
SIZES, SIZE_SPREAD = (0.75, 1.2), 0.1  # of faces beside the mean adult's
BASIS_REACH = (0.02, 0.015, 0.010, 0.007, 0.005) + (0.004,) * 8
STIFFNESS = ((8.0, 40.0), (3.0, 15.0), (1.0, 6.0), (0.4, 3.0))  # of edges and of bending, loosened stage by stage
STILL = 2e-5  # metres: a stage ends when offsets move less, in the mean
MOST_ROUNDS = 5  # a stage
TANGENTIAL = 0.05  # weight of the distance along the surface, beside 1 for the distance off it
SCAN_NOISE = 0.0001  # metres, of one point, correlated with its neighbours': what the basis' prior is weighed against


@dataclass(frozen=True)
class Scan:
    """A surface in metres.

    Attributes:
        vertices: (N, 3); ``faces`` (F, 3), counter-clockwise from outside.
        landmarks: (M, 3) points whose iBUG numbers are ``landmark_numbers``, where they are known.
    """

    vertices: np.ndarray
    faces: np.ndarray
    landmarks: np.ndarray | None = None
    landmark_numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class RegisteredHead:
    """The head laid over a scan.

    Attributes:
        vertices: (V, 3) metres, in the head's own frame.
        rotation: (3, 3) and ``translation`` (3,) metres: to the scan's frame.
        coefficients: (D + K,) of the head's mean and identity bases, what the basis made of the scan.
        covered: (V,) bool, vertices that the scan showed; the others follow the basis and their neighbours.
        distance_mm: median distance of the covered ones from the scan.
    """

    vertices: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    coefficients: np.ndarray
    covered: np.ndarray
    distance_mm: float


@dataclass
class _Pose:
    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))
    translation: np.ndarray = field(default_factory=lambda: np.zeros(3))
    scale: float = 1.0  # of the mean face, while nothing else of its shape is known

    def into_head(self, points: np.ndarray) -> np.ndarray:
        """From the scan's frame to the head's."""
        return (points - self.translation) @ self.rotation


class ScanFitter:
    """Registers scans to one head model; what depends on the head alone is made once."""

    def __init__(self, head: HeadModel) -> None:
        masks = {name: mask.numpy() for name, mask in head.masks.items()}
        self.head, self.count = head, head.vertex_count
        self.mean = head.vertices()[0].numpy().astype(np.float64)
        means = head.mean_coefficients.numpy().astype(np.float64)
        self.basis = head.shape_basis.numpy().astype(np.float64)[:, : 3 * self.count].reshape(len(head.shape_basis), self.count, 3)
        self.template = head.template.numpy().astype(np.float64)[: 3 * self.count].reshape(-1, 3)
        self.centre = np.concatenate([means.mean(0), np.zeros(len(head.identity_labels))])
        self.spread = np.concatenate([means.std(0), np.ones(len(head.identity_labels))]).clip(1e-3)
        faces, skin = head.faces.numpy(), masks["skin"] & ~masks["mouth_interior"]
        self.faces = faces[skin[faces].all(1)]
        self.outer = np.unique(self.faces)
        self.face = np.flatnonzero(masks["face"] & skin)
        self.skin_faces = faces[masks["skin"][faces].all(1)]
        self.landmark_weights = (head.landmark_triangles.numpy(), head.landmark_barycentric.numpy().astype(np.float64))

    def register(self, scan: Scan) -> RegisteredHead:
        """The head laid over a scan of a neutral face.

        Raises:
            FaceReconError: the scan has no triangles, or no face is found in it.
        """
        if len(scan.faces) == 0 or not np.isfinite(scan.vertices).all():
            raise FaceReconError("A scan needs finite vertices and triangles between them.")
        target = _Target(scan)
        pose = self._start(scan, target)
        coefficients, pose = self._fit_basis(target, pose)
        shape = self._shape(coefficients)
        offsets, covered, distance = self._bend(shape, target, pose)
        vertices = shape + offsets
        return RegisteredHead(
            vertices.astype(np.float32), pose.rotation, pose.translation, coefficients, covered, 1000 * float(distance)
        )

    def _shape(self, coefficients: np.ndarray) -> np.ndarray:
        return self.template + np.tensordot(coefficients, self.basis, 1)

    def _marks(self, vertices: np.ndarray, numbers: tuple[int, ...]) -> np.ndarray:
        triangles, weights = (part[list(numbers)] for part in self.landmark_weights)
        return (vertices[triangles] * weights[..., None]).sum(1)

    def _start(self, scan: Scan, target: _Target) -> _Pose:
        """By landmarks, or else the best of many rough poses."""
        if scan.landmarks is not None and len(scan.landmarks) >= 3:
            ours = self._marks(self.mean, scan.landmark_numbers)
            _, rotation, shift = umeyama(ours, scan.landmarks, with_scale=False)
            return _Pose(rotation, shift)
        return self._search(target)

    def _search(self, target: _Target) -> _Pose:
        """The best of 24 upright and lying starts, each settled by ICP of the mean face, which may grow and shrink."""
        points, normals = self.mean[self.face[::6]], mesh_normals(self.mean, self.faces)[self.face[::6]]
        centre, middle = points.mean(0), np.median(target.points, axis=0)
        best, lowest = _Pose(), np.inf
        for rotation in _right_angles():
            for deep in (0.0, 0.07):  # a scan of the face alone, or of the whole head
                pose = _Pose(rotation, middle + rotation @ (np.array([0, 0, deep]) - centre))
                cost = np.inf
                for reach in SEARCH_REACH:
                    pose, cost = _rigid_step(points, normals, target, pose, reach)
                if cost < lowest:
                    best, lowest = pose, cost
        return best

    def _fit_basis(self, target: _Target, pose: _Pose) -> tuple[np.ndarray, _Pose]:
        """Coefficients and pose by Gauss-Newton over point-to-plane distances."""
        points, normals = self.mean[self.face[::2]], mesh_normals(self.mean, self.faces)[self.face[::2]]
        for reach in RIGID_REACH:
            pose, _ = _rigid_step(points, normals, target, pose, reach)
        coefficients, pose = self._unscaled(pose)
        for reach in BASIS_REACH:
            shape = self._shape(coefficients)
            index, goal, normal, weight = self._pairs(shape, target, pose, reach, self.outer)
            if len(index) < 50:
                raise FaceReconError("No face was found in the scan.")
            arms = np.cross(shape[index], normal)
            rows = np.concatenate([np.einsum("pvc,vc->vp", self.basis[:, index], normal), arms, normal], axis=1)
            right = ((goal - shape[index]) * normal).sum(1)
            scaled = weight[:, None] * rows
            prior = np.concatenate([(1 / self.spread) ** 2, np.full(6, 1e-6)]) * (SCAN_NOISE**2 * max(len(index), 1) / len(self.spread))
            pull = np.concatenate([prior[:-6] * (self.centre - coefficients), np.zeros(6)])
            step = np.linalg.solve(scaled.T @ rows + np.diag(prior), scaled.T @ right + pull)
            coefficients = coefficients + step[:-6]
            pose = _nudged(pose, step[-6:-3], step[-3:])
        return coefficients, pose

    def _unscaled(self, pose: _Pose) -> tuple[np.ndarray, _Pose]:
        """The likeliest coefficients of a mean face of the pose's size, and the pose at natural size."""
        rows = np.concatenate([self.basis[:, self.face], np.eye(3)[:, None].repeat(len(self.face), 1)]).reshape(len(self.basis) + 3, -1)
        wanted = (pose.scale * self.mean - self._shape(self.centre))[self.face].ravel()
        prior = np.concatenate([(0.003 / self.spread) ** 2 * 20, np.full(3, 1e-9)])
        found = np.linalg.solve(rows @ rows.T + np.diag(prior), rows @ wanted)
        return self.centre + found[:-3], _Pose(pose.rotation, pose.translation + pose.rotation @ found[-3:])

    def _pairs(self, shape: np.ndarray, target: _Target, pose: _Pose, reach: float, index: np.ndarray):
        """Vertices with a counterpart in the scan: their numbers, the points there, their own normals, which a scan's
        noise does not shake, and robust weights."""
        normals = mesh_normals(shape, self.faces)[index]
        goal, found = target.nearest(shape[index], normals, pose, reach)
        index, goal, normal = index[found], goal[found], normals[found]
        off = np.abs(((goal - shape[index]) * normal).sum(1))
        sigma = max(1.48 * float(np.median(off)), 1e-4) if len(off) else 1.0
        return index, goal, normal, 1 / (1 + (off / (3 * sigma)) ** 2) ** 2

    def _bend(self, shape: np.ndarray, target: _Target, pose: _Pose) -> tuple[np.ndarray, np.ndarray, float]:
        """Offsets (V, 3), which vertices the scan covers, and the median distance there."""
        order = np.unique(self.skin_faces)
        local = np.full(self.count, -1)
        local[order] = np.arange(len(order))
        faces = local[self.skin_faces]
        edges, bending = (sparse.kron(f(faces, len(order)), sparse.identity(3), format="csr") for f in (edge_differences, uniform_laplacian))
        offsets, covered = np.zeros((len(order), 3)), np.zeros(self.count, dtype=bool)
        for edge, bend in STIFFNESS:
            smooth = edge * (edges.T @ edges) + bend * (bending.T @ bending) + 1e-3 * sparse.identity(3 * len(order))
            for _ in range(MOST_ROUNDS):
                now = shape.copy()
                now[order] += offsets
                index, goal, normal, weight = self._pairs(now, target, pose, 0.004, self.outer)
                solved = _solve_offsets(offsets, local[index], goal - shape[index], normal, weight, smooth)
                moved, offsets = float(np.linalg.norm(solved - offsets, axis=1).mean()), solved
                if moved < STILL:
                    break
        covered[index] = True
        full, known = np.zeros((self.count, 3)), np.zeros(self.count, dtype=bool)
        full[order], known[order] = offsets, True
        side = np.zeros(self.count, int)
        full = follow_nearby(shape, self.head.faces.numpy(), known, full, side)
        now = (shape + full)[index]
        return full, covered, float(np.median(np.abs(((goal - now) * normal).sum(1))))


class _Target:
    """A scan that closest points are asked of, in the head's frame by a pose."""

    def __init__(self, scan: Scan) -> None:
        self.vertices, self.faces = scan.vertices.astype(np.float64), scan.faces
        used = np.unique(scan.faces)
        border = _border(scan.faces)
        self.at_border = np.zeros(len(self.vertices), dtype=bool)
        self.at_border[border] = True
        self.points, self.point_normals = sample_surface(self.vertices, scan.faces, min(20_000, 4 * len(used)))
        self.tree = cKDTree(self.points)

    def nearest(self, points: np.ndarray, normals: np.ndarray, pose: _Pose, reach: float):
        """Surface points (N, 3) in the head's frame, and whether they count."""
        there = points @ pose.rotation.T + pose.translation
        hits = closest_points(there, self.vertices, self.faces, normals @ pose.rotation.T, 0.5, reach)
        goal = (self.vertices[hits.triangles] * hits.barycentric[..., None]).sum(1)
        # What lies beyond the scan's edge would gather on it: points whose nearest place is a border do not count.
        on_edge = (self.at_border[hits.triangles] & (hits.barycentric > 1e-9)).sum(1) == (hits.barycentric > 1e-9).sum(1)
        return pose.into_head(goal), hits.found & ~on_edge


def _rigid_step(points: np.ndarray, normals: np.ndarray, target: _Target, pose: _Pose, reach: float) -> tuple[_Pose, float]:
    """One round of trimmed point-to-plane ICP with scale, and how far off the nearest three quarters were before."""
    own = pose.scale * points
    there, facing = own @ pose.rotation.T + pose.translation, normals @ pose.rotation.T
    distance, nearest = target.tree.query(there)
    goal, normal = target.points[nearest], target.point_normals[nearest]
    agree = (facing * normal).sum(1) > 0.4
    kept = agree & (distance <= min(reach, np.quantile(distance, 0.85)))
    if kept.sum() < 20:
        return pose, np.inf
    offset = ((goal - there) * normal)[kept].sum(1)
    sigma = 1.48 * np.median(np.abs(offset)) + 1e-4
    weight = 1 / (1 + (offset / (2 * sigma)) ** 2)
    local = normal[kept] @ pose.rotation
    rows = np.column_stack([np.cross(own[kept], local), local, (own[kept] * local).sum(1)])
    damping = np.diag([1e-6] * 3 + [1e-3] * 3 + [0.05 * SIZE_SPREAD**-2 * 1e-6 * kept.sum()])
    step = np.linalg.solve((weight[:, None] * rows).T @ rows + damping, (weight[:, None] * rows).T @ offset)
    size = float(np.clip(pose.scale * (1 + step[6]), *SIZES))
    moved = _nudged(pose, step[:3], step[3:6])
    off = np.sort(np.where(agree, distance, 2 * distance + 0.005))[: int(0.75 * len(distance))].mean()
    return _Pose(moved.rotation, moved.translation, size), float(off)


def _nudged(pose: _Pose, turn: np.ndarray, shift: np.ndarray) -> _Pose:
    """The pose after the head itself is turned (radians about its axes) and shifted in its own frame."""
    angle = np.linalg.norm(turn)
    axis = turn / max(angle, 1e-12)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    small = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return _Pose(pose.rotation @ small, pose.rotation @ shift + pose.translation)


def _solve_offsets(start, index, wanted, normal, weight, smooth) -> np.ndarray:  # noqa: ANN001
    """Offsets (N, 3) that bring vertices to their planes, held together by ``smooth``; ``start`` is a first guess."""
    count = len(start)
    outer = weight[:, None, None] * (normal[:, :, None] * normal[:, None] + TANGENTIAL**2 * np.eye(3))
    rows = (3 * index[:, None, None] + np.arange(3)[None, :, None]).repeat(3, 2)
    columns = (3 * index[:, None, None] + np.arange(3)[None, None]).repeat(3, 1)
    data = sparse.csr_matrix((outer.ravel(), (rows.ravel(), columns.ravel())), (3 * count, 3 * count))
    right = np.zeros((count, 3))
    np.add.at(right, index, np.einsum("nij,nj->ni", outer, wanted))
    system = (data + smooth).tocsr()
    jacobi = sparse.diags(1 / system.diagonal())
    return cg(system, right.ravel(), start.ravel(), rtol=1e-3, maxiter=300, M=jacobi)[0].reshape(-1, 3)


def _border(faces: np.ndarray) -> np.ndarray:
    """Vertices on edges that only one triangle has."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    return np.unique(unique[counts == 1])


def _right_angles() -> list[np.ndarray]:
    """The 24 rotations that bring axes onto axes."""
    turns = []
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[range(3), order] = signs
            if np.linalg.det(matrix) > 0:
                turns.append(matrix)
    return turns
