"""Distances between neutral heads, and their landmarks, without all their vertices.

A neutral head is linear in its mean's coefficients and its scaled identity (but for the millimetre by
which eyelids are kept clear of the eyes), so weighted sums over thousands of vertices are quadratic
forms of a hundred numbers, and a training step costs milliseconds.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from facerecon.head import HeadModel
from facerecon.head.landmarks import CONTOUR, slide_contour, surface_points
from facerecon.reconstruction.losses import region_weights
from facerecon.reconstruction.metric_shape import ShapeCode


class ShapeSpace:
    """The coordinates of a head model's neutral shapes, and two distances between them.

    Args:
        head: the head model.
    """

    def __init__(self, head: HeadModel) -> None:
        self.head = head
        count, skin = head.vertex_count, head.masks["skin"]
        offsets = head.shape_basis[:, : 3 * count].unflatten(1, (-1, 3)) * 1000  # (D + K, V, 3) mm
        weights = region_weights(head) * head.masks["face"]
        weights = weights / weights.sum()
        self.metric = _root(self._placed(offsets, weights, head.vertices()[0]))
        faces = head.faces[(skin & head.masks["face"])[head.faces].all(1)]
        edges = torch.cat((faces[:, :2], faces[:, 1:], faces[:, [2, 0]])).sort(1).values.unique(dim=0)
        lengths = (head.vertices()[0][edges[:, 0]] - head.vertices()[0][edges[:, 1]]).norm(dim=1) * 1000
        slopes = (offsets[:, edges[:, 0]] - offsets[:, edges[:, 1]]) / lengths[:, None] / math.sqrt(len(edges))
        self.slope = _root((slopes * 180 / math.pi).flatten(1))

    def _placed(self, offsets: Tensor, weights: Tensor, rest: Tensor) -> Tensor:
        """Weighted offsets without what a shift and a small turn of the head would explain, (D + K, 3V)."""
        centred = offsets - (offsets * weights[:, None]).sum(1, keepdim=True)
        arms = rest - (rest * weights[:, None]).sum(0)
        turns = torch.stack([torch.linalg.cross(axis.expand_as(arms), arms) for axis in torch.eye(3).to(arms)])
        root = weights.sqrt()[:, None]
        flat, turns = (centred * root).flatten(1), torch.linalg.qr((turns * root).flatten(1).T)[0]
        return flat - (flat @ turns) @ turns.T

    def coordinates(self, code: ShapeCode) -> Tensor:
        """(B, D + K) of shapes."""
        weights = self.head.encode_demographics(code.age, code.gender, code.ancestry)
        identity = code.identity * (weights @ self.head.identity_scale)[:, None]
        return torch.cat((weights @ self.head.mean_coefficients, identity), dim=1)

    def apart_mm(self, first: Tensor, second: Tensor) -> Tensor:
        """(B,) root mean square distance of the face's vertices once both lie as one, regions weighted, size kept."""
        return ((first - second) @ self.metric).square().sum(1).add(1e-6).sqrt()

    def turned_degrees(self, first: Tensor, second: Tensor) -> Tensor:
        """(B,) root mean square turn of the face's edges, to first order: what normals see of a difference."""
        return ((first - second) @ self.slope).square().sum(1).add(1e-6).sqrt()


class LandmarkPoints:
    """The 68 landmarks from the few hundred vertices that carry them.

    Args:
        head: the head model.
    """

    def __init__(self, head: HeadModel) -> None:
        self.head = head
        tables = head.landmark_triangles, head.contour_triangles
        used = torch.cat([table.flatten() for table in tables]).unique()
        place = torch.zeros(head.vertex_count, dtype=torch.long, device=used.device)
        place[used] = torch.arange(len(used), device=used.device)
        self.triangles, self.contour = (place[table] for table in tables)
        self.rest, self.shape, self.expression = (
            basis[..., : 3 * head.vertex_count].unflatten(-1, (-1, 3))[..., used, :]
            for basis in (head.template, head.shape_basis, head.expression_basis)
        )

    def __call__(self, coordinates: Tensor, weights: Tensor, expression: Tensor, yaw: Tensor) -> Tensor:
        """Landmarks (B, 68, 3) of shapes (B, D + K) with mean weights (B, M), expressions (B, 52) and yaw (B,) radians."""
        scaled = expression * (weights @ self.head.expression_scale)[:, None]
        vertices = self.rest + torch.einsum("bk,kvc->bvc", coordinates, self.shape) + torch.einsum("be,evc->bvc", scaled, self.expression)
        points = surface_points(vertices, self.triangles, self.head.landmark_barycentric)
        contour = slide_contour(vertices, yaw, self.contour, self.head.contour_barycentric, self.head.contour_yaw)
        return torch.cat((contour, points[:, CONTOUR:]), dim=1)


def _root(rows: Tensor) -> Tensor:
    """(N, N) of which ``|x @ root|`` is ``|x @ rows|`` for rows (N, M)."""
    values, vectors = torch.linalg.eigh((rows @ rows.T).double())
    return (vectors * values.clamp_min(0).sqrt()).to(rows.dtype)
