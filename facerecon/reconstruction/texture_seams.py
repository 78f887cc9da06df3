"""Seams of a texture: edges of the surface that lie at two places in the texture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

REACH = 14 / 1024
"""How far a correction runs from the seam, as a share of the texture's side."""


@dataclass(frozen=True)
class Seams:
    """Pairs of texels that are one point of the surface.

    Attributes:
        pairs: (N, 2, 2) float32 column and row of both copies, half a texel inside their charts.
        chart_of_uv: (T,) chart number of every UV vertex.
        texels: (M,) flat positions of the texels near a seam.
        nearest: (M,) row of ``pairs`` that is nearest, and ``side`` (M,) which copy.
        strength: (M,) float32, 1 at the seam, falling to 0.
    """

    pairs: np.ndarray
    chart_of_uv: np.ndarray
    texels: np.ndarray
    nearest: np.ndarray
    side: np.ndarray
    strength: np.ndarray

    def mismatch(self, texture: np.ndarray) -> np.ndarray:
        """Second copy minus first of every pair, (N, C) float32."""
        first, second = (self._sample(texture, side) for side in (0, 1))
        return second - first

    def heal(self, texture: np.ndarray) -> np.ndarray:
        """Brings both copies of every pair to their mean, fading out away from the seam.

        Args:
            texture: (S, S, C) float32; changed in place and returned.
        """
        half = 0.5 * self.mismatch(texture)
        sign = np.where(self.side == 0, 1.0, -1.0).astype(np.float32)
        flat = texture.reshape(-1, texture.shape[-1])
        flat[self.texels] += (sign * self.strength)[:, None] * half[self.nearest]
        return texture

    def _sample(self, texture: np.ndarray, side: int) -> np.ndarray:
        points = np.ascontiguousarray(self.pairs[:, side])
        chunks = np.array_split(points, len(points) // 30000 + 1)  # remap takes at most 32767 rows
        sampled = [cv2.remap(texture, p[:, :1], p[:, 1:], cv2.INTER_NEAREST)[:, 0] for p in chunks]
        return np.concatenate(sampled).reshape(len(points), -1)


def find_seams(faces: np.ndarray, uv_faces: np.ndarray, texel_uv: np.ndarray, inside: np.ndarray) -> Seams:
    """Finds the seams of a layout.

    Args:
        faces: (F, 3) triangles of vertices; ``uv_faces`` (F, 3) the same of UV vertices.
        texel_uv: (T, 2) column and row of the UV vertices.
        inside: (S, S) bool, texels of some chart.
    """
    chart = components(uv_faces, len(texel_uv))
    first, second = _paired_edges(faces, uv_faces)
    # A seam's texels must lie inside the chart: step from the edge toward the triangle's far corner.
    segments = [_inset(texel_uv[edges]) for edges in (first, second)]
    lengths = np.maximum(*(np.linalg.norm(s[:, 1] - s[:, 0], axis=1) for s in segments))
    steps = np.maximum(np.ceil(lengths).astype(int), 1)
    row = np.repeat(np.arange(len(first)), steps)
    along = ((np.arange(len(row)) - np.repeat(np.cumsum(steps) - steps, steps)) + 0.5) / np.repeat(steps, steps)
    pairs = np.stack([s[row, 0] + along[:, None] * (s[row, 1] - s[row, 0]) for s in segments], axis=1)
    at = np.clip(np.round(pairs).astype(int), 0, len(inside) - 1)
    pairs = pairs[inside[at[..., 1], at[..., 0]].all(1)]
    texels, nearest, side, distance = _texels_near(pairs, inside)
    reach = REACH * len(inside)
    strength = np.clip(1 - (distance - 1) / reach, 0, 1) ** 2
    chart_of_texel = _label_texels(inside)
    # Where charts lie closer together than the reach, the nearest seam may be another chart's.
    at = np.clip(np.round(pairs[nearest, side]).astype(int), 0, len(inside) - 1)
    own = chart_of_texel.ravel()[texels] == chart_of_texel[at[:, 1], at[:, 0]]
    return Seams(
        pairs.astype(np.float32), chart, texels[own], nearest[own], side[own], strength[own].astype(np.float32)
    )


def components(faces: np.ndarray, count: int) -> np.ndarray:
    """Number (V,) of the connected part that each of ``count`` vertices belongs to, by triangles (F, 3)."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _label_texels(inside: np.ndarray) -> np.ndarray:
    return cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)[1]


def _paired_edges(faces: np.ndarray, uv_faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """UV vertices (N, 3) of both copies of every seam edge: its ends, in one order, and the far corner."""
    corners = np.array([[0, 1, 2], [1, 2, 0], [2, 0, 1]])
    vertex, uv = faces[:, corners].reshape(-1, 3), uv_faces[:, corners].reshape(-1, 3)
    swap = vertex[:, 0] > vertex[:, 1]
    vertex[swap, :2], uv[swap, :2] = vertex[swap, 1::-1], uv[swap, 1::-1]
    order = np.lexsort((vertex[:, 1], vertex[:, 0]))
    vertex, uv = vertex[order], uv[order]
    same = (vertex[1:, :2] == vertex[:-1, :2]).all(1)
    split = (uv[1:, :2] != uv[:-1, :2]).any(1)
    at = np.flatnonzero(same & split)
    return uv[at], uv[at + 1]


def _inset(triangles: np.ndarray, texels: float = 0.75) -> np.ndarray:
    """Moves edges (N, 2 ends, 2) of triangles (N, 3, 2) toward the third corner."""
    middle = triangles[:, :2].mean(1)
    inward = triangles[:, 2] - middle
    length = np.linalg.norm(inward, axis=1, keepdims=True)
    inward = inward / np.maximum(length, 1e-6) * np.minimum(texels, 0.5 * length)
    ends = middle[:, None] + (triangles[:, :2] - middle[:, None]) * 0.98
    return ends + inward[:, None]


def _texels_near(pairs: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Flat texel positions within reach, their nearest pair, which copy of it, and how far."""
    size = len(inside)
    place = np.clip(np.round(pairs).astype(int), 0, size - 1)
    flat = place[..., 1] * size + place[..., 0]
    owner = np.full(size * size, -1, np.int64)
    for side in (0, 1):
        owner[flat[:, side]] = 2 * np.arange(len(pairs)) + side
    distance, label = cv2.distanceTransformWithLabels(
        (owner < 0).astype(np.uint8).reshape(size, size), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    owner_of_label = np.zeros(label.max() + 1, np.int64)
    marked = owner >= 0
    owner_of_label[label.ravel()[marked]] = owner[marked]
    texels = np.flatnonzero(((distance <= 1 + REACH * size) & inside).ravel())
    owners = owner_of_label[label.ravel()[texels]]
    return texels, owners // 2, owners % 2, distance.ravel()[texels]
