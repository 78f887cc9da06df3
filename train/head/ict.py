"""The ICT-FaceKit Light model (MIT; Li et al., CVPR 2020) as the build needs it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

CENTIMETRE = 0.01
FACE_END, SKIN_END, MOUTH_END, SOCKETS_END = 9409, 11248, 13294, 14062
"""Vertex ranges: face, then back of head and neck, then mouth socket, then eye sockets."""

LEFT_EYE, RIGHT_EYE = slice(21451, 23021), slice(23021, 24591)


@dataclass(frozen=True)
class IctModel:
    """Neutral and displacement modes, metres, origin midway between the eyeballs.

    Attributes:
        neutral: (N, 3).
        identity: (100, N, 3), one standard deviation each.
        expression: displacement (N, 3) by ICT's own name.
        faces: (F, 3); ``materials`` (F,) their material's name.
        landmarks: (68,) vertices, iBUG order.
        mirror: (N,) index of each vertex's mirror image.
    """

    neutral: np.ndarray
    identity: np.ndarray
    expression: dict[str, np.ndarray]
    faces: np.ndarray
    materials: np.ndarray
    landmarks: np.ndarray
    mirror: np.ndarray

    def faces_within(self, start: int, stop: int) -> np.ndarray:
        """Triangles all of whose vertices lie in a range of vertices."""
        return self.faces[((self.faces >= start) & (self.faces < stop)).all(1)]

    def material_vertices(self, name: str) -> np.ndarray:
        """Sorted vertices of a material."""
        return np.unique(self.faces[self.materials == name])


def read_ict(folder: Path) -> IctModel:
    """Reads ``ict_facekit.npz`` and ``vertex_indices.json``."""
    pack = np.load(folder / "ict_facekit.npz")
    neutral = pack["neutral"].astype(np.float64) * CENTIMETRE
    eyes = (neutral[LEFT_EYE].mean(0) + neutral[RIGHT_EYE].mean(0)) / 2
    indices = json.loads((folder / "vertex_indices.json").read_text())
    expression = pack["expression"].astype(np.float32) * CENTIMETRE
    return IctModel(
        neutral=neutral - eyes,
        identity=pack["identity"].astype(np.float32) * CENTIMETRE,
        expression=dict(zip(pack["expression_names"].tolist(), expression)),
        faces=pack["tri"],
        materials=pack["materials"][pack["tri_material"]],
        landmarks=np.array(indices["idx_to_landmark_verts"]),
        mirror=_mirror(neutral),
    )


def _mirror(neutral: np.ndarray) -> np.ndarray:
    """Mirror images, searched within each of the mesh's parts so that touching parts stay apart."""
    mirror = np.arange(len(neutral))
    for start, stop in ((0, SKIN_END), (SKIN_END, MOUTH_END), (MOUTH_END, SOCKETS_END), (SOCKETS_END, len(neutral))):
        tree = cKDTree(neutral[start:stop])
        mirror[start:stop] = start + tree.query(neutral[start:stop] * [-1, 1, 1])[1]
    return mirror
