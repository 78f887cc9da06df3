"""Packs the head's surface into one texture square.

Skin, sockets, mouth and tongue keep MakeHuman's own charts, moved by one map a
chart; the face's chart is turned upright and its middle widened, so that a
1024-pixel texture has two pixels a millimetre on the face. Neck, eyes and teeth
are charted anew. Charts do not overlap, left and right included.
"""

from __future__ import annotations

import numpy as np

from train.head.topology import NECK_RINGS, Topology

HEAD_CHART = (0.004, 0.25, 0.996, 0.996)
CHARTS = {  # u0, v0, u1, v1 in the atlas
    "throat": (0.006, 0.008, 0.19, 0.115),
    "mouth_cavity": (0.2, 0.008, 0.335, 0.115),
    "eye_cavity.L": (0.345, 0.008, 0.42, 0.115),
    "eye_cavity.R": (0.43, 0.008, 0.505, 0.115),
    "tongue": (0.515, 0.008, 0.567, 0.115),
    "neck": (0.006, 0.125, 0.605, 0.24),
    "left_eyeball": (0.617, 0.063, 0.797, 0.243),
    "right_eyeball": (0.815, 0.063, 0.995, 0.243),
    "upper_teeth_out": (0.577, 0.031, 0.68, 0.056),
    "upper_teeth_in": (0.684, 0.031, 0.785, 0.056),
    "lower_teeth_out": (0.789, 0.031, 0.89, 0.056),
    "lower_teeth_in": (0.894, 0.031, 0.995, 0.056),
    "upper_gums_out": (0.577, 0.003, 0.68, 0.028),
    "upper_gums_in": (0.684, 0.003, 0.785, 0.028),
    "lower_gums_out": (0.789, 0.003, 0.89, 0.028),
    "lower_gums_in": (0.894, 0.003, 0.995, 0.028),
}
HEAD_SOURCE = (0.635, 0.14, 0.998, 0.827)
"""The face chart's place in MakeHuman's square, its forehead to the left."""

WIDENING = 1.6
EYE_FRONT_DEGREES = 75.0
EYE_FRONT_RADIUS = 0.85
"""The eyeball's chart is a disc about the gaze axis: 75 degrees of the sphere fill 85 % of its radius."""


def _fit(points: np.ndarray, chart: tuple, source: tuple | None = None) -> np.ndarray:
    """Moves points (..., 2) from their bounding box (or ``source``) into a chart."""
    low = np.array(source[:2]) if source else points.reshape(-1, 2).min(0)
    high = np.array(source[2:]) if source else points.reshape(-1, 2).max(0)
    return np.array(chart[:2]) + (points - low) / (high - low) * (np.array(chart[2:]) - np.array(chart[:2]))


def _head(corner_uv: np.ndarray) -> np.ndarray:
    unit = _fit(corner_uv, (0, 0, 1, 1), HEAD_SOURCE)
    across = 2 * unit[..., 1] - 1  # MakeHuman's v runs across the face
    across = np.arctan(WIDENING * across) / np.arctan(WIDENING)
    upright = np.stack([(across + 1) / 2, 1 - unit[..., 0]], axis=-1)
    return _fit(upright, HEAD_CHART, (0, 0, 1, 1))


def _neck(topology: Topology, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """A strip: angle about the neck's axis across, ring number down."""
    points = vertices[faces]
    axis_z = vertices[np.unique(faces), 2].mean()
    angle = np.arctan2(points[..., 0], points[..., 2] - axis_z) / (2 * np.pi)
    behind = np.abs(points[..., 0]) < 1e-6
    side = np.sign(points[..., 0].sum(1, keepdims=True))
    angle = np.where(behind & (points[..., 2] < axis_z), 0.5 * side, angle)
    depth = 1 - topology.neck_ring[faces] / NECK_RINGS
    return _fit(np.stack([angle + 0.5, depth], axis=-1), CHARTS["neck"], (0, 0, 1, 1))


def eye_chart(direction: np.ndarray, chart: tuple) -> np.ndarray:
    """Atlas position (..., 2) of unit directions from the eyeball's centre, +z the gaze."""
    angle = np.degrees(np.arccos(np.clip(direction[..., 2], -1, 1)))
    rear = EYE_FRONT_RADIUS + (1 - EYE_FRONT_RADIUS) * (angle - EYE_FRONT_DEGREES) / (180 - EYE_FRONT_DEGREES)
    radius = np.where(angle < EYE_FRONT_DEGREES, EYE_FRONT_RADIUS * angle / EYE_FRONT_DEGREES, rear)
    turn = np.arctan2(direction[..., 1], direction[..., 0])
    disc = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=-1)
    return _fit(disc, chart, (-1, -1, 1, 1))


def _eyes(vertices: np.ndarray, faces: np.ndarray, chart: tuple) -> np.ndarray:
    centre = vertices[np.unique(faces)].mean(0)
    direction = vertices[faces] - centre
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    at_pole = direction[..., 2] < -0.9999  # the rear pole takes the turn of its triangle
    other = np.where(at_pole[..., None], 0, direction).sum(1, keepdims=True)
    other = np.where(np.linalg.norm(other[..., :2], axis=-1, keepdims=True) > 0, other, 1.0)
    poled = np.concatenate([other[..., :2] * 1e-4, -np.ones_like(other[..., :1])], axis=-1)
    return eye_chart(np.where(at_pole[..., None], poled, direction), chart)


def _teeth(vertices: np.ndarray, faces: np.ndarray, jaw: str) -> np.ndarray:
    """Outer and inner faces of one jaw, each unrolled along the arch."""
    points = vertices[faces]
    axis = np.array([0.0, 0.0, np.percentile(vertices[np.unique(faces), 2], 5)])
    outward = points.mean(1) - axis
    normal = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    out = normal[:, 0] * outward[:, 0] + normal[:, 2] * outward[:, 2] > 0
    along = np.arctan2(points[..., 0], points[..., 2] - axis[2] + 0.004)
    flat = np.stack([along, points[..., 1]], axis=-1)
    box = (*flat.reshape(-1, 2).min(0), *flat.reshape(-1, 2).max(0))
    inner = _fit(flat, CHARTS[f"{jaw}_in"], box)
    return np.where(out[:, None, None], _fit(flat, CHARTS[f"{jaw}_out"], box), inner)


def pack(topology: Topology, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Charts every face.

    Args:
        vertices: (V, 3) the mean adult, metres.

    Returns:
        ``uv`` (T, 2), origin at the lower left, and ``uv_faces`` (F, 3).
    """
    corners = np.zeros((*topology.faces.shape, 2))
    throat = (topology.parts == "head") & (topology.corner_uv[..., 0].max(1) < 0.5)
    for part in np.unique(topology.parts):
        chosen = (topology.parts == part) & ~throat
        faces, source = topology.faces[chosen], topology.corner_uv[chosen]
        if part == "head":
            corners[chosen] = _head(source)
        elif part == "neck":
            corners[chosen] = _neck(topology, vertices, faces)
        elif part.endswith("eyeball"):
            corners[chosen] = _eyes(vertices, faces, CHARTS[part])
        elif part.endswith(("_teeth", "_gums")):
            corners[chosen] = _teeth(vertices, faces, part)
        else:
            corners[chosen] = _fit(source, CHARTS[part])
    corners[throat] = _fit(topology.corner_uv[throat], CHARTS["throat"])
    return index_corners(topology.faces, corners)


def index_corners(faces: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merges equal corners of equal vertices: ``uv`` (T, 2) and ``uv_faces`` (F, 3)."""
    keys = np.concatenate([faces.reshape(-1, 1), np.round(corners.reshape(-1, 2) * 65535)], axis=1)
    unique, inverse = np.unique(keys, axis=0, return_inverse=True)
    return (unique[:, 1:] / 65535).astype(np.float32), inverse.reshape(-1, 3)
