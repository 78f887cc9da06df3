"""Hair that hangs down: where it ends to the left and right of the head, by height, and what that does to ears and neck.

A head's mesh goes on into ears and neck, and so can its hair: what hangs beside and behind them is drawn as a wall around
them, open to the front. It is no strand that swings, but the outline that people with long hair are known by.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import spsolve

from facerecon.head.model import HeadModel
from facerecon.metrics.surfaces import mesh_edges

HEIGHTS_M = np.linspace(0.06, -0.20, 14)
"""Of the head's frame, from above the ears down to the shoulders."""
ROW = 1 + len(HEIGHTS_M)
"""Numbers a side: how far the ear is covered, and where hair ends at each height."""
FRONT_M = (np.array([-0.20, -0.10, -0.06, 0.06]), np.array([-0.070, -0.060, -0.045, -0.035]))
"""Heights, and at each how far forward hair hangs."""
FRONT_WIDTH_M = 0.012
"""On which it goes over into what is bare."""
HALF_WIDTH_M, BACK_M = 0.085, 0.093
"""Of the average head from the axis to the ears and to the back; fuller hair is deeper, too, by the root of how much wider it is."""
NARROWEST = 0.75
"""Where hair grows narrower toward its end it does so at the back, down to this share."""
FADE_M = 0.04
"""Above the first of the heights, where it goes over into the hair that stands on the scalp."""
WITHIN_M = 0.004
"""What stands out of hair by less is covered in part."""
SQUARENESS = 2.4
"""Exponent of the ellipses that hair's cross-sections are."""
MIDDLE_M = 0.03
"""About the middle plane, where one side goes over into the other."""


class HangingShell:
    """What hair beside the head does to the vertices of one head model.

    Attributes:
        axis_z: metres, of the vertical line that hair hangs around, in the middle plane.
        share: (V,) in [0, 1], how far a vertex may be covered.
        ears: two (V,) bool, left and right.
    """

    def __init__(self, head: HeadModel, axis_z: float) -> None:
        with torch.no_grad():
            template = head.vertices()[0].double().cpu().numpy()
        masks = {name: mask.cpu().numpy() for name, mask in head.masks.items()}
        self.axis_z = axis_z
        front = np.interp(template[:, 1], *FRONT_M)
        self.share = smooth_step((front - template[:, 2]) / FRONT_WIDTH_M) * masks["skin"]
        self.ears = [masks["ears"] & (template[:, 0] * sign > 0) for sign in (1, -1)]
        edges = mesh_edges(head.faces.cpu().numpy())
        self._edges = edges[masks["skin"][edges].all(1)].T
        self._spanned = [_spanning(edges, ear) for ear in self.ears]

    def grow(self, vertices: np.ndarray, hanging: np.ndarray) -> np.ndarray:
        """A head with its hair beside it.

        Args:
            vertices: (V, 3) metres, head frame, with hair on the scalp.
            hanging: (2, ``ROW``), left and right; see ``HeadParameters.hair``.

        Returns:
            (V, 3) float32.
        """
        cover, goal = self._laid(vertices, hanging)
        out = np.asarray(vertices, np.float64)
        return (out + cover[:, None] * (goal - out)).astype(np.float32)

    def cover(self, vertices: np.ndarray, hanging: np.ndarray) -> np.ndarray:
        """How far (V,), in [0, 1], hair hangs over each vertex or, at the front of it, begins; arguments as for :meth:`grow`, whose
        result has the same cover."""
        cover = self._laid(vertices, hanging)[0]
        spread = cover.copy()
        for a, b in (self._edges, self._edges[::-1]):
            np.maximum.at(spread, a, cover[b])
        return spread

    def _laid(self, vertices: np.ndarray, hanging: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far vertices are covered (V,), and where hair then puts them (V, 3); ears are laid flat first."""
        flat = np.array(vertices, np.float64)
        for (inner, rim, weights), ear in zip(self._spanned, self.ears):
            flat[inner] = weights @ flat[rim]
        hanging = np.asarray(hanging, np.float64)
        width, there = zip(*(_at(side[1:], flat[:, 1]) for side in hanging))
        left = smooth_step(flat[:, 0] / (2 * MIDDLE_M) + 0.5)
        width, there = (left * a + (1 - left) * b for a, b in (width, there))
        away = flat - (0, 0, self.axis_z)
        away[:, 1] = 0
        radius = np.maximum(np.linalg.norm(away, axis=1), 1e-6)
        direction = away / radius[:, None]
        widest = max(float(hanging[:, 1:].max()), 1e-6)
        back = BACK_M * np.clip(width / widest, NARROWEST, 1) * max(widest / HALF_WIDTH_M, 1) ** 0.5
        depth = np.where(direction[:, 2] < 0, back, width)
        reach = sum((np.abs(direction[:, i]) / np.maximum(size, 1e-3)) ** SQUARENESS for i, size in ((0, width), (2, depth)))
        reach = np.maximum(reach, 1e-9) ** (-1 / SQUARENESS)
        cover = self.share * smooth_step(there) * smooth_step((reach - radius) / WITHIN_M + 1)
        for side, ear in zip(hanging, self.ears):
            cover[ear] = cover[ear] * side[0]
        return cover, flat + direction * np.maximum(reach - radius, 0)[:, None]


def _at(ends: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where hair ends at heights (N,), and in [0, 1] whether there is any, from its ends at ``HEIGHTS_M``, 0 without."""
    rising, ends = HEIGHTS_M[::-1], ends[::-1]
    known = ends > 0
    if not known.any():
        return np.zeros_like(height), np.zeros_like(height)
    above = 1 - smooth_step((height - HEIGHTS_M[0]) / FADE_M)
    return np.interp(height, rising[known], ends[known]), np.interp(height, rising, known.astype(float)) * above


def smooth_step(t: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth in between."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _spanning(edges: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A skin without folds over a region (V,) of a mesh: its vertices (N,), those around it (R,), and weights (N, R) that put the
    former among the latter, as Tutte, "How to Draw a Graph", 1963."""
    edges = edges[region[edges].any(1)]
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(region),) * 2)
    graph = (graph + graph.T).tocsr()
    inner = np.flatnonzero(region)
    rim = np.setdiff1d(np.unique(edges), inner)
    degree = diags(np.asarray(graph[inner].sum(1)).ravel())
    return inner, rim, spsolve((degree - graph[inner][:, inner]).tocsc(), graph[inner][:, rim].toarray())
