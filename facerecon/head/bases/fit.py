"""Fits another head model to one of our heads, so that its mesh shows the same person.

Nearest points, point to plane (Chen and Medioni 1992), as regularised least squares over
identity, expression and a similarity. Our 68 landmarks are carried over to the other model
once, through a fit of its mean to our mean head, and then hold eyes, nose, mouth and jaw in
their places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from facerecon.head.bases.linear import LinearBasis
from facerecon.images import atomic_write
from facerecon.metrics.geometry import umeyama
from facerecon.metrics.surfaces import SurfaceFinder, face_normals
from facerecon.rendering import mesh_normals

ROUNDS, RIGID_ROUNDS = 8, 20
MOST_POINTS = 4000
FARTHEST_M = 0.015
"""Nearest points further off than this do not belong together."""
FACING = 0.6  # least cosine between their normals
ALONG = 0.05
"""Weight of the distance along the surface, beside 1 for the distance from it."""
LANDMARK_WEIGHT = 12.0
RIDGE = 2e-8
"""Square metres a squared standard deviation costs, for each point: (0.14 mm)^2."""

Pose = tuple[float, np.ndarray, np.ndarray]
"""Scale, rotation (3, 3) and shift (3,) from the other model's frame to ours."""
_LANDMARKS: WeakKeyDictionary[LinearBasis, "_Marks"] = WeakKeyDictionary()


@dataclass(frozen=True)
class BasisFit:
    """Another model's mesh in the place of our head.

    Attributes:
        vertices: (V, 3) float32 metres, the frame of our head.
        identity, expression: coefficients, standard deviations.
        scale, rotation, shift: similarity from the model's own frame to ours.
        rms_mm: root mean square distance from our face, mm.
    """

    vertices: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    scale: float
    rotation: np.ndarray
    shift: np.ndarray
    rms_mm: float

    def write(self, stem: Path) -> Path:
        """Writes the coefficients as ``STEM.npz``."""
        file = stem.with_name(f"{stem.name}.npz")
        arrays = {name: np.asarray(value, np.float32) for name, value in self.__dict__.items() if name != "vertices"}
        with atomic_write(file) as temporary, open(temporary, "wb") as handle:
            np.savez(handle, **arrays)
        return file


@dataclass(frozen=True)
class _Marks:
    """Our 68 landmarks on the other model: vertices (68, 3) and their weights (68, 3)."""

    corners: np.ndarray
    weights: np.ndarray

    def of(self, values: np.ndarray) -> np.ndarray:
        """Values (..., V, 3) of vertices at the landmarks, (..., 68, 3)."""
        return (values[..., self.corners, :] * self.weights[..., None]).sum(-2)


class _Target:
    """Our head's skin without scalp and neck."""

    def __init__(self, vertices: np.ndarray, head: Any) -> None:
        vertices = np.asarray(vertices, np.float64)
        faces, masks = head.faces.cpu().numpy(), head.masks
        keep = (masks["skin"] & ~masks["neck"] & ~masks["scalp"]).cpu().numpy()
        self.faces = faces[keep[faces].all(1)]
        self.finder = SurfaceFinder(vertices, self.faces)
        self.normals = face_normals(vertices, self.faces)
        landmarks = head.landmarks(torch.from_numpy(vertices.astype(np.float32))[None])
        self.landmarks = landmarks[0].cpu().numpy().astype(np.float64)

    def match(self, points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which points (N, 3) have a partner, and these partners' places and normals."""
        triangles, weights = self.finder.embed(points)
        places = (self.finder.corners[triangles] * weights[..., None]).sum(1)
        close = np.linalg.norm(places - points, axis=1) < FARTHEST_M
        found = np.flatnonzero(close & ((normals * self.normals[triangles]).sum(1) > FACING))
        return found, places[found], self.normals[triangles[found]]


def fit_basis(basis: LinearBasis, vertices: np.ndarray, head: Any) -> BasisFit:
    """The model's mesh that lies nearest to a head.

    Args:
        vertices: (V, 3) metres, of our head, with expression.
        head: the ``HeadModel`` they belong to.
    """
    if basis not in _LANDMARKS:
        _LANDMARKS[basis] = _carry_landmarks(basis, head)
    marks, target = _LANDMARKS[basis], _Target(vertices, head)
    start = umeyama(marks.of(basis.template), target.landmarks)
    return _fit(basis, target, start, marks)


def _carry_landmarks(basis: LinearBasis, head: Any) -> _Marks:
    """Where our landmarks lie on the other model."""
    with torch.no_grad():
        target = _Target(head.vertices()[0].cpu().numpy(), head)
    fit = _fit(basis, target, _rigid(basis, target), None)
    triangles, weights = SurfaceFinder(fit.vertices, basis.faces).embed(target.landmarks)
    return _Marks(basis.faces[triangles], weights)


def _rigid(basis: LinearBasis, target: _Target) -> Pose:
    """A similarity without landmarks: both look along z, so the tips of the noses meet first."""
    template = basis.template
    middle = np.abs(template[:, 0] - np.median(template[:, 0])) < 0.01
    tip = template[middle][template[middle][:, 2].argmax()]
    scale, rotation, shift = 1.0, np.eye(3), target.landmarks[30] - tip
    for _ in range(RIGID_ROUNDS):
        moved = scale * template @ rotation.T + shift
        points = target.finder.corners.mean(1)
        distance, nearest = cKDTree(moved).query(points)
        close = distance <= np.percentile(distance, 80)  # ears and forehead may be missing over there
        scale, rotation, shift = umeyama(template[nearest[close]], points[close])
    return scale, rotation, shift


def _fit(
    basis: LinearBasis, target: _Target, pose: Pose, marks: _Marks | None
) -> BasisFit:
    components = np.concatenate([basis.identity, basis.expression])
    values, chosen = np.zeros(len(components)), _thin(len(basis.template))
    for _ in range(ROUNDS):
        own, moved, matched = _match(basis, target, components, values, pose, chosen)
        step = _solve(components, values, pose, own, (chosen, *matched), marks, target.landmarks)
        values, pose = step[7:], _turned(pose, step[:7], moved.mean(0))
    _, moved, (found, places, planes) = _match(basis, target, components, values, pose, chosen)
    off = ((moved[chosen[found]] - places) * planes).sum(1)
    rms = float(np.sqrt((off**2).mean())) * 1000 if len(off) else float("nan")
    k = len(basis.identity)
    return BasisFit(moved.astype(np.float32), values[:k], values[k:], *pose, rms)


def _match(
    basis: LinearBasis, target: _Target, components: np.ndarray, values: np.ndarray, pose: Pose, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The mesh in its own frame (V, 3), in ours (V, 3), and what :meth:`_Target.match` says of the chosen vertices."""
    own, (scale, rotation, shift) = basis.template + np.tensordot(values.astype(np.float32), components, 1), pose
    moved = scale * own @ rotation.T + shift
    normals = mesh_normals(own, basis.faces) @ rotation.T
    return own, moved, target.match(moved[chosen], normals[chosen])


def _solve(
    components: np.ndarray, values: np.ndarray, pose: Pose, own: np.ndarray,
    matched: tuple[np.ndarray, ...], marks: _Marks | None, landmarks: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """One Gauss-Newton step for fixed partners: small turn (3), shift (3) and growth (1), then coefficients (K + E)."""
    scale, rotation, shift = pose
    chosen, found, places, planes = matched
    centre = (scale * own @ rotation.T + shift).mean(0)

    def rows(pick: Callable[[np.ndarray], np.ndarray], goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Directions (7 + K + E, N, 3) and what they are to make up for, (N, 3)."""
        points = scale * pick(own) @ rotation.T + shift
        arm = points - centre
        turn = np.stack([np.cross(axis, arm) for axis in np.eye(3)])
        drift = np.broadcast_to(np.eye(3)[:, None], (3, len(points), 3))
        bend = scale * pick(components) @ rotation.T
        still = points - np.tensordot(values, bend, 1)
        return np.concatenate([turn, drift, arm[None], bend]), goal - still

    at = chosen[found]
    directions, off = rows(lambda array: array[..., at, :], places)
    across = np.einsum("knd,nd->nk", directions, planes)
    along = directions.transpose(1, 2, 0).reshape(-1, len(directions))
    system = across.T @ across + ALONG**2 * (along.T @ along)
    goal = across.T @ (off * planes).sum(1) + ALONG**2 * (along.T @ off.ravel())
    count = len(at)
    if marks is not None:
        directions, off = rows(marks.of, landmarks)
        along = directions.transpose(1, 2, 0).reshape(-1, len(directions))
        system += LANDMARK_WEIGHT * (along.T @ along)
        goal += LANDMARK_WEIGHT * (along.T @ off.ravel())
        count += LANDMARK_WEIGHT * len(marks.weights)
    ridge = np.full(len(system), RIDGE * max(count, 1))
    ridge[:7] = 1e-9
    return np.linalg.solve(system + np.diag(ridge), goal)


def _turned(pose: Pose, step: np.ndarray, centre: np.ndarray) -> Pose:
    """A pose after a small turn (3), shift (3) and growth (1) about a point."""
    scale, rotation, shift = pose
    turn, grow = Rotation.from_rotvec(step[:3]).as_matrix(), 1 + step[6]
    return scale * grow, turn @ rotation, grow * turn @ (shift - centre) + centre + step[3:6]


def _thin(count: int) -> np.ndarray:
    """At most about ``MOST_POINTS`` of so many vertices, the same each time."""
    order = np.random.default_rng(0).permutation(count)
    return np.sort(order[:MOST_POINTS])
