"""What the 68 landmarks owe to a head's coefficients, without the thousands of vertices that are no landmark's."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from facerecon.head import HeadModel
from facerecon.head.landmarks import CONTOUR, slide_contour, surface_points
from facerecon.reconstruction.camera import seen_yaw
from facerecon.reconstruction.vertex_basis import VertexBasis
from facerecon.types import HeadParameters


class LandmarkBasis:
    """The vertices of the landmarks' triangles of a head, and how its coefficients move them; linear, as ``VertexBasis`` says,
    so that differences between two such heads are to be trusted."""

    def __init__(self, head: HeadModel) -> None:
        corners = torch.cat((head.landmark_triangles.flatten(), head.contour_triangles.flatten()))
        used, local = corners.unique(return_inverse=True)
        still, turning = local.split((head.landmark_triangles.numel(), head.contour_triangles.numel()))
        self.still = still.view_as(head.landmark_triangles), head.landmark_barycentric
        self.turning = turning.view_as(head.contour_triangles), head.contour_barycentric, head.contour_yaw
        self.vertices = VertexBasis(head, used)

    @torch.inference_mode()
    def ways(self, parameters: HeadParameters, head: HeadModel, identities: int) -> np.ndarray:
        """(68, 3, K) where each coefficient of identity and expression takes landmarks, seen from where the lens is."""
        weights, basis = head.mean_weights(parameters), self.vertices
        parts = basis.identity[:identities] * (weights @ head.identity_scale), basis.expression * (weights @ head.expression_scale)
        return self._landmarks(torch.cat(parts), yaw_seen(parameters)).permute(1, 2, 0).double().numpy()

    @torch.inference_mode()
    def marks(self, parameters: HeadParameters, head: HeadModel) -> np.ndarray:
        """Landmarks (68, 3) metres of the head."""
        code = (torch.from_numpy(np.asarray(v, np.float32))[None] for v in (parameters.identity, parameters.expression))
        points = self.vertices.points(*code, head.mean_weights(parameters))
        return self._landmarks(points, yaw_seen(parameters))[0].double().numpy()

    def _landmarks(self, points: Tensor, yaw: Tensor) -> Tensor:
        contour = slide_contour(points, yaw.expand(len(points)), *self.turning)
        return torch.cat((contour, surface_points(points, *self.still)[:, CONTOUR:]), dim=1)


_BASES: WeakKeyDictionary[HeadModel, LandmarkBasis] = WeakKeyDictionary()


def landmark_basis(head: HeadModel) -> LandmarkBasis:
    """The basis of a head, made at first use and kept as long as the head."""
    if head not in _BASES:
        _BASES[head] = LandmarkBasis(head)
    return _BASES[head]


def yaw_seen(parameters: HeadParameters) -> Tensor:
    """Yaw (1,) radians under which the lens sees the head."""
    pose = (torch.from_numpy(np.asarray(v, np.float32))[None] for v in (parameters.rotation, parameters.translation_m))
    return seen_yaw(*pose)
