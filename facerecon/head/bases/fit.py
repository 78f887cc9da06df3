"""Fits another head model to one of our heads, so that its mesh shows the same person.

Nearest points, point to plane (Chen and Medioni 1992), as regularised least squares over
identity, expression and a similarity. Our 68 landmarks are carried over to the other model
once, through a fit of its mean to our mean head, and then hold eyes, nose, mouth and jaw in
their places.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from scipy.spatial import cKDTree

from facerecon.head.bases.linear import LinearBasis
from facerecon.images import atomic_write
from facerecon.metrics.geometry import umeyama

ROUNDS, RIGID_ROUNDS = 8, 20
MOST_POINTS = 4000
FARTHEST_M = 0.015
"""Nearest points further off than this do not belong together."""
FACING = 0.6  # least cosine between their normals
ALONG = 0.15
"""Weight of the distance along the surface, beside 1 for the distance from it."""
LANDMARK_WEIGHT = 12.0
RIDGE = 2e-8
"""Square metres a squared standard deviation costs, for each point: (0.14 mm)^2."""

_LANDMARKS: WeakKeyDictionary[LinearBasis, np.ndarray] = WeakKeyDictionary()


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


class _Target:
    """Our head as points with normals: skin without the neck."""

    def __init__(self, vertices: np.ndarray, head: Any) -> None:
        vertices = np.asarray(vertices, np.float64)
        faces, masks = head.faces.cpu().numpy(), head.masks
        keep = (masks["skin"] & ~masks["neck"] & ~masks["scalp"]).cpu().numpy()
        corners = vertices[faces[keep[faces].all(1)]]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        shares = np.array([[1, 1, 1], [4, 1, 1], [1, 4, 1], [1, 1, 4]]) / [[3], [6], [6], [6]]
        self.points = np.einsum("sc,fcd->sfd", shares, corners).reshape(-1, 3)
        self.normals = np.tile(normals, (len(shares), 1))
        self.tree = cKDTree(self.points)
        landmarks = head.landmarks(torch.from_numpy(vertices.astype(np.float32))[None])
        self.landmarks = landmarks[0].cpu().numpy().astype(np.float64)

    def match(self, points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which points (N, 3) have a partner, and these partners' places and normals."""
        distance, nearest = self.tree.query(points, distance_upper_bound=FARTHEST_M)
        found = np.flatnonzero(np.isfinite(distance))
        agree = (normals[found] * self.normals[nearest[found]]).sum(1) > FACING
        found = found[agree]
        return found, self.points[nearest[found]], self.normals[nearest[found]]


def fit_basis(basis: LinearBasis, vertices: np.ndarray, head: Any) -> BasisFit:
    """The model's mesh that lies nearest to a head.

    Args:
        vertices: (V, 3) metres, of our head, with expression.
        head: the ``HeadModel`` they belong to.
    """
    if basis not in _LANDMARKS:
        _LANDMARKS[basis] = _carry_landmarks(basis, head)
    marks, target = _LANDMARKS[basis], _Target(vertices, head)
    start = umeyama(basis.template[marks], target.landmarks)
    return _fit(basis, target, start, marks)


def _carry_landmarks(basis: LinearBasis, head: Any) -> np.ndarray:
    """(68,) vertices of the model where our landmarks lie."""
    with torch.no_grad():
        target = _Target(head.vertices()[0].cpu().numpy(), head)
    fit = _fit(basis, target, _rigid(basis, target), None)
    return cKDTree(fit.vertices).query(target.landmarks)[1]


def _rigid(basis: LinearBasis, target: _Target) -> tuple[float, np.ndarray, np.ndarray]:
    """A similarity without landmarks: both look along z, so the tips of the noses meet first."""
    template = basis.template
    middle = np.abs(template[:, 0] - np.median(template[:, 0])) < 0.01
    tip = template[middle][template[middle][:, 2].argmax()]
    scale, rotation, shift = 1.0, np.eye(3), target.landmarks[30] - tip
    for _ in range(RIGID_ROUNDS):
        moved = scale * template @ rotation.T + shift
        distance, nearest = cKDTree(moved).query(target.points)
        close = distance <= np.percentile(distance, 80)  # ears and forehead may be missing over there
        scale, rotation, shift = umeyama(template[nearest[close]], target.points[close])
    return scale, rotation, shift


def _fit(
    basis: LinearBasis, target: _Target, pose: tuple[float, np.ndarray, np.ndarray], marks: np.ndarray | None
) -> BasisFit:
    components = np.concatenate([basis.identity, basis.expression])
    values, chosen = np.zeros(len(components)), _thin(len(basis.template))
    scale, rotation, shift = pose
    for _ in range(ROUNDS):
        own = basis.template + np.tensordot(values, components, 1)
        moved, normals = scale * own @ rotation.T + shift, _normals(own, basis.faces) @ rotation.T
        found, places, planes = target.match(moved[chosen], normals[chosen])
        at = chosen[found]
        if marks is not None:
            pairs = np.concatenate([at, marks]), np.concatenate([places, target.landmarks])
            scale, rotation, shift = umeyama(own[pairs[0]], pairs[1])
        elif len(at) > 3:
            scale, rotation, shift = umeyama(own[at], places)
        values = _solve(basis, components, (scale, rotation, shift), at, places, planes, marks, target.landmarks)
    own = basis.template + np.tensordot(values, components, 1)
    moved, normals = scale * own @ rotation.T + shift, _normals(own, basis.faces) @ rotation.T
    found, places, planes = target.match(moved[chosen], normals[chosen])
    off = ((moved[chosen[found]] - places) * planes).sum(1)
    rms = float(np.sqrt((off**2).mean())) * 1000 if len(off) else float("nan")
    k = len(basis.identity)
    return BasisFit(moved.astype(np.float32), values[:k], values[k:], scale, rotation, shift, rms)


def _solve(
    basis: LinearBasis, components: np.ndarray, pose: tuple[float, np.ndarray, np.ndarray], at: np.ndarray,
    places: np.ndarray, planes: np.ndarray, marks: np.ndarray | None, landmarks: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Coefficients (K + E,) of the regularised least squares for a fixed pose and fixed partners."""
    scale, rotation, shift = pose

    def moved(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return scale * components[:, index] @ rotation.T, scale * basis.template[index] @ rotation.T + shift

    directions, still = moved(at)
    off = places - still
    across = np.einsum("knd,nd->nk", directions, planes)
    along = directions.transpose(1, 2, 0).reshape(-1, len(components))
    system = across.T @ across + ALONG**2 * (along.T @ along)
    goal = across.T @ (off * planes).sum(1) + ALONG**2 * (along.T @ off.ravel())
    count = len(at)
    if marks is not None:
        directions, still = moved(marks)
        rows = directions.transpose(1, 2, 0).reshape(-1, len(components))
        system += LANDMARK_WEIGHT * (rows.T @ rows)
        goal += LANDMARK_WEIGHT * (rows.T @ (landmarks - still).ravel())
        count += LANDMARK_WEIGHT * len(marks)
    return np.linalg.solve(system + RIDGE * max(count, 1) * np.eye(len(components)), goal)


def _thin(count: int) -> np.ndarray:
    """At most about ``MOST_POINTS`` of so many vertices, the same each time."""
    order = np.random.default_rng(0).permutation(count)
    return np.sort(order[:MOST_POINTS])


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = vertices[faces]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    out = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(out, faces[:, corner], flat)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
