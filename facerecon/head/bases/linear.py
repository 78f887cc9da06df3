"""A linear head model: a mean, and what identity and expression add to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facerecon.types import FaceReconError


class BasisError(FaceReconError):
    """A head model's file that cannot be read, and why."""


@dataclass(frozen=True, eq=False)
class LinearBasis:
    """A head model in metres, y up, z out of the face, x to the head's own left.

    Attributes:
        kind: ``"flame"``, ``"bfm"`` or ``"gnm"``.
        template: (V, 3) float64, the mean.
        identity: (K, V, 3) float32, displacement by one standard deviation each.
        expression: (E, V, 3) float32, likewise.
        faces: (F, 3) int64, counter-clockwise from outside.
    """

    kind: str
    template: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    faces: np.ndarray

    def vertices(self, identity: np.ndarray, expression: np.ndarray) -> np.ndarray:
        """(V, 3) metres of coefficients (K,) and (E,)."""
        moved = np.tensordot(identity, self.identity, 1) + np.tensordot(expression, self.expression, 1)
        return self.template + moved


def make_basis(
    kind: str, template: np.ndarray, identity: np.ndarray, expression: np.ndarray | None, faces: np.ndarray, metres: float
) -> LinearBasis:
    """Checks the arrays of a file and brings them to one form.

    Args:
        identity, expression: (K, V, 3) in the file's unit; None for a model without expressions.
        faces: (F, 3) from 0, either way round.
        metres: length of the file's unit.

    Raises:
        BasisError: the arrays do not belong together.
    """
    template = np.asarray(template, np.float64).reshape(-1, 3) * metres
    identity = np.asarray(identity, np.float32) * np.float32(metres)
    expression = np.zeros((0, *template.shape), np.float32) if expression is None else np.asarray(expression, np.float32)
    expression = expression * np.float32(metres)
    faces = np.asarray(faces).astype(np.int64).reshape(-1, 3)
    whole = identity.ndim == expression.ndim == 3 and identity.shape[1:] == expression.shape[1:] == template.shape
    if not whole or not len(faces) or faces.min() < 0 or faces.max() >= len(template):
        raise BasisError(f"The {kind.upper()} file's mean, bases and triangles do not fit together.")
    if not all(np.isfinite(array).all() for array in (template, identity, expression)):
        raise BasisError(f"The {kind.upper()} file holds numbers that are not finite.")
    return LinearBasis(kind, template, identity, expression, faces[:, ::-1] if _inside_out(template, faces) else faces)


def _inside_out(vertices: np.ndarray, faces: np.ndarray) -> bool:
    """Whether triangles face inward: those of the front of a face should look forward."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    middle = corners.mean(1)
    outward = middle - np.array([*np.median(vertices[:, :2], axis=0), vertices[:, 2].min()])
    return float((normals * outward).sum()) < 0
