"""From ICT's identity modes to the head's own identity basis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from train.head.lips import LipSeal
from train.head.surface import follow_nearby, uniform_laplacian
from train.head.topology import NECK_RINGS, Topology

LID_CLEARANCE = (0.004, 0.014)
"""Metres from the eyeball within which lids only slide over it, and from which they move freely."""

NECK_FADE = 0.6
"""How much of identity is lost down at the clavicle, where no scan held it."""

SMOOTH_REACH = 0.015
SMOOTH_TIMES = 4
"""Identity is smoothed this many times, up to this distance (metres) from the lips."""

DEMOGRAPHIC_DIRECTIONS = 6
"""Main directions of the demographic mean that are taken out of identity."""


@dataclass(frozen=True)
class Carrier:
    """Carries ICT displacements over to the head.

    Attributes:
        matrix: (V_skin, N) interpolation of ICT's vertices.
        rotation, scale: the similarity that brought the head to ICT; undone here.
        topology: the head.
        mean: (P, 3) the mean adult.
        hidden: (V_skin,) bool, the insides of the nostrils, which follow the nose.
        ears: (V_skin,) in [0, 1], how far a vertex belongs to an ear.
        side: (V_skin,) 0 where the upper lip is nearer along the skin, 1 where the lower is.
    """

    matrix: sparse.csr_matrix
    rotation: np.ndarray
    scale: float
    topology: Topology
    mean: np.ndarray
    hidden: np.ndarray
    ears: np.ndarray
    side: np.ndarray

    def skin(self, displacement: np.ndarray) -> np.ndarray:
        """An ICT displacement (N, 3) on the head's skin (V_skin, 3); sockets, mouth and nostrils follow it."""
        moved = (self.matrix @ displacement) @ self.rotation / self.scale
        known = (np.asarray(self.matrix.sum(1)).ravel() > 0.5) & ~self.hidden
        count = len(moved)
        faces = self.topology.faces[(self.topology.faces < count).all(1)]
        return follow_nearby(self.mean[:count], faces, known, moved, self.side)

    def shape_ears(self, moved: np.ndarray) -> np.ndarray:
        """Moves each ear by its best affine motion, as scans do not tell one ear's folds from another's."""
        result = moved.copy()
        rest = self.mean[: len(moved)]
        for side in (1, -1):
            ear = (self.ears > 0) & (np.sign(rest[:, 0]) == side)
            design = np.concatenate([rest[ear], np.ones((ear.sum(), 1))], axis=1)
            weight = self.ears[ear][:, None]
            affine = np.linalg.lstsq(design * weight, moved[ear] * weight, rcond=None)[0]
            result[ear] = (1 - weight) * moved[ear] + weight * (design @ affine)
        return result


@dataclass(frozen=True)
class Smoothing:
    """Evens displacements out along the outer skin, most around the mouth, whose corners register worst."""

    step: sparse.csr_matrix
    times: int

    @classmethod
    def around(cls, mean: np.ndarray, topology: Topology, lips: np.ndarray) -> "Smoothing":
        """``lips``: vertices of the lips on the mean head (P, 3)."""
        count = topology.blocks["skin"].stop
        outer = topology.faces[np.isin(topology.parts, ["head", "neck"])]
        distance = cKDTree(mean[lips]).query(mean[:count])[0]
        strength = np.where(distance < SMOOTH_REACH, 0.5 * (1 - distance / SMOOTH_REACH), 0) + 0.05
        strength[np.setdiff1d(np.arange(count), outer)] = 0
        step = sparse.identity(count) - sparse.diags(strength) @ uniform_laplacian(outer, count)
        return cls(step.tocsr(), SMOOTH_TIMES)

    def apply(self, displacement: np.ndarray) -> np.ndarray:
        """(V_skin, 3) smoothed."""
        for _ in range(self.times):
            displacement = self.step @ displacement
        return displacement


def eye_shift(skin: np.ndarray, lids: np.ndarray) -> np.ndarray:
    """Mean displacement (3,) of the lid vertices of one eye."""
    return skin[lids].mean(0)


def slide_lids(displacement: np.ndarray, mean: np.ndarray, eye: np.ndarray, shift: np.ndarray, skin: slice) -> None:
    """Keeps lids clear of an eyeball that moved by ``shift``: their motion toward or away from it is damped.

    Args:
        displacement: (P, 3), changed in place.
        mean: (P, 3) the head's points at rest.
        eye: (E, 3) the eyeball at rest.
    """
    centre = eye.mean(0)
    radius = np.linalg.norm(eye - centre, axis=1).mean()
    outward = mean[skin] - centre
    length = np.linalg.norm(outward, axis=1, keepdims=True)
    near = 1 - np.clip((length - radius - LID_CLEARANCE[0]) / (LID_CLEARANCE[1] - LID_CLEARANCE[0]), 0, 1)
    near *= mean[skin][:, 2:] > centre[2] - radius
    relative = displacement[skin] - shift
    direction = outward / length
    displacement[skin] -= near * direction * (relative * direction).sum(1, keepdims=True)


def remove_rotation(displacement: np.ndarray, mean: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Takes the small rotation about the origin out of a displacement field (P, 3), weighted (P,)."""
    x, y, z = mean.T
    zero = np.zeros_like(x)
    columns = [np.stack(c, axis=1) for c in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]
    design = np.stack([c.ravel() for c in columns], axis=1)
    w = np.repeat(weight, 3)
    omega = np.linalg.solve(design.T @ (design * w[:, None]), design.T @ (w * displacement.ravel()))
    return displacement - (design @ omega).reshape(-1, 3)


def carry_modes(
    modes: np.ndarray, carrier: Carrier, mean: np.ndarray, seal: LipSeal,
    lids: tuple[np.ndarray, np.ndarray], lips: np.ndarray, rigid_weight: np.ndarray,
) -> np.ndarray:
    """Identity modes (M, N, 3) of ICT as displacements (M, P, 3) of all the head's points (joints last)."""
    topology = carrier.topology
    blocks = topology.blocks
    skin = blocks["skin"]
    smoothing = Smoothing.around(mean, topology, lips)
    fade = 1 - NECK_FADE * topology.neck_ring[: skin.stop] / NECK_RINGS
    eyes = ("left_eyeball", "right_eyeball")
    result = np.zeros((len(modes), *mean.shape))
    for points, mode in zip(result, modes):
        points[skin] = smoothing.apply(carrier.shape_ears(carrier.skin(mode)))
        shifts = [eye_shift(points[skin], side) for side in lids]
        points -= np.mean(shifts, axis=0)
        points[:] = remove_rotation(points, mean, rigid_weight)
        shifts = [eye_shift(points[skin], side) for side in lids]
        points -= np.mean(shifts, axis=0)
        for name, side in zip(eyes, lids):
            shift = eye_shift(points[skin], side)
            slide_lids(points, mean, mean[blocks[name]], shift, skin)
            points[blocks[name]] = shift
        points[-2:] = [points[blocks[name]].mean(0) for name in eyes]
        points[:] = seal.join(points)
        points[skin] = smoothing.apply(points[skin])
        for name in ("upper_teeth", "lower_teeth", "tongue"):
            points[blocks[name]] = points[lips].mean(0)
        points[skin] *= fade[:, None]
        points[-4:-2] = 0  # the neck's and the head's joints stay
    return result


def remove_directions(modes: np.ndarray, directions: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Projects modes (M, P, 3) off the span of directions (Q, P, 3), in the weighted (P,) inner product."""
    scaled = (directions * np.sqrt(weight)[None, :, None]).reshape(len(directions), -1)
    u, s, _ = np.linalg.svd(scaled, full_matrices=False)
    basis = np.tensordot((u / s).T, directions, 1)
    overlap = np.einsum("mpc,qpc,p->mq", modes, basis, weight)
    return modes - np.tensordot(overlap, basis, 1)


def principal_modes(modes: np.ndarray, weight: np.ndarray, count: int) -> np.ndarray:
    """Principal components (count, P, 3), one standard deviation each, of independent unit modes (M, P, 3)."""
    scaled = (modes * np.sqrt(weight)[None, :, None]).reshape(len(modes), -1)
    values, vectors = np.linalg.eigh(scaled @ scaled.T)
    order = np.argsort(values)[::-1][:count]
    mixed = np.tensordot(vectors[:, order].T, modes, 1)
    peak = np.abs(mixed).reshape(count, -1).argmax(1)
    sign = np.sign(mixed.reshape(count, -1)[np.arange(count), peak])
    return mixed * sign[:, None, None]
