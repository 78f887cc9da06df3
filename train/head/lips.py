"""Keeps the lips together: no gap and no crossing in a neutral face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facerecon.metrics.surfaces import distances_along
from train.head.register import border_arcs, find_opening, rim_points
from train.head.surface import SurfacePoints
from train.head.topology import Topology

REACH = 0.006
"""Metres from the lip's edge over which a correction fades."""

TOUCH = -0.0002
"""The gap left between closed lips, metres: a slight overlap, so that no light shows through."""


@dataclass(frozen=True)
class LipSeal:
    """A linear correction of the gap between the lips' edges.

    Attributes:
        upper, lower: the edges, at the same places from corner to corner.
        upper_spread, lower_spread: (V, N) how each vertex follows its edge.
    """

    upper: SurfacePoints
    lower: SurfacePoints
    upper_spread: np.ndarray
    lower_spread: np.ndarray

    def close(self, points: np.ndarray, gap: float = 0.0) -> np.ndarray:
        """Moves positions (P, 3) so that the edges are ``gap`` metres apart in height."""
        excess = self._between(points)[:, 1] - gap
        result = points.copy()
        result[: len(self.upper_spread), 1] += self.lower_spread @ excess / 2 - self.upper_spread @ excess / 2
        return result

    def join(self, displacement: np.ndarray) -> np.ndarray:
        """Changes displacements (P, 3) so that both edges move alike."""
        excess = self._between(displacement)
        result = displacement.copy()
        result[: len(self.upper_spread)] += self.lower_spread @ excess / 2 - self.upper_spread @ excess / 2
        return result

    def _between(self, values: np.ndarray) -> np.ndarray:
        """Upper edge minus lower edge, (N, 3)."""
        upper, lower = ((values[e.triangles] * e.barycentric[..., None]).sum(1) for e in (self.upper, self.lower))
        return upper - lower


def lip_seal(vertices: np.ndarray, topology: Topology) -> LipSeal:
    """Finds the lips' edges on the mean head (V, 3) and spreads corrections over the lips around them."""
    skin = topology.faces[np.isin(topology.parts, ["head", "neck"])]
    cavity = topology.faces[topology.parts == "mouth_cavity"]
    opening = find_opening(vertices, skin, cavity)
    edges, spreads = [], []
    for upper, faces in ((True, opening.upper), (False, opening.lower)):
        edge = rim_points(vertices, faces, opening.corners, upper)
        places = (vertices[edge.triangles] * edge.barycentric[..., None]).sum(1)
        spread = np.zeros((len(vertices), len(places)))
        near = np.unique(faces)
        inner = np.setdiff1d(np.unique(cavity), np.unique(skin))
        side = np.sign(vertices[inner, 1] - places[:, 1].mean())
        near = np.concatenate([near, inner[side == (1 if upper else -1)]])
        distance = np.linalg.norm(vertices[near, None] - places, axis=-1)
        along = np.exp(-((vertices[near, None, 0] - places[:, 0]) / 0.003) ** 2)
        fade = np.exp(-((distance.min(1) / REACH) ** 2))
        spread[near] = along / np.maximum(along.sum(1, keepdims=True), 1e-3) * fade[:, None]
        edges.append(edge)
        spreads.append(spread)
    return LipSeal(edges[0], edges[1], spreads[0], spreads[1])


RETREAT = 0.003
"""Metres by which the mouth's front wall is drawn back behind cheeks and nose wings."""

ADVANCE = {"upper_teeth": 0.004, "lower_teeth": 0.004, "tongue": 0.003}
"""Metres by which teeth and tongue come forward: MakeHuman's stand too far behind the lips."""


def fit_mouth(mean: np.ndarray, topology: Topology) -> np.ndarray:
    """Shift (P, 3) of the mouth's inside to its proper depth.

    MakeHuman's cavity lies close behind the nose's wings and the cheeks, and
    would show through them when the face changes.
    """
    skin = np.unique(topology.faces[topology.parts == "head"])
    cavity = np.unique(topology.faces[topology.parts == "mouth_cavity"])
    inner = np.setdiff1d(cavity, skin)
    border = np.intersect1d(cavity, skin)
    height = np.abs(mean[inner, 1] - mean[border, 1].mean())
    away = np.clip((height - 0.005) / 0.005, 0, 1) * np.clip((np.abs(mean[inner, 0]) - 0.009) / 0.006, 0, 1)
    front = np.clip((mean[inner, 2] - mean[border, 2].min() + 0.01) / 0.01, 0, 1)
    shift = np.zeros_like(mean)
    shift[inner, 2] = -RETREAT * away * front
    for name, advance in ADVANCE.items():
        shift[topology.blocks[name], 2] = advance
    return shift


def lip_side(mean: np.ndarray, topology: Topology) -> np.ndarray:
    """(V_skin,) 0 for skin nearer to the upper lip, measured along it, 1 nearer to the lower."""
    skin = topology.faces[np.isin(topology.parts, ["head", "neck"])]
    cavity = topology.faces[topology.parts == "mouth_cavity"]
    arcs = border_arcs(mean, skin, cavity)[1]
    inside = distances_along(mean, cavity, arcs)
    outside = distances_along(mean, skin, arcs)
    count = topology.blocks["skin"].stop
    above, below = (np.minimum(a, b)[:count] for a, b in zip(inside, outside))
    return (below < above).astype(int)
