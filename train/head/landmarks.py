"""Places the 68 iBUG landmarks, and lets those of the contour slide with yaw."""

from __future__ import annotations

import numpy as np

from facerecon.faces.align import MIRROR_68
from facerecon.metrics.surfaces import closest_barycentric, face_normals
from facerecon.rendering import mesh_normals
from train.head.ict import IctModel
from train.head.surface import SurfacePoints, closest_points, cut_plane
from train.head.topology import Topology

YAW_BINS = np.radians(np.arange(-90, 91, 7.5))


TOWARD_ANNOTATORS_MM = {
    17: (-2.5, -1.5), 18: (-2.0, -2.5), 19: (-1.3, -4.0), 20: (-3.0, -4.0), 21: (-5.0, -3.5),
    28: (0.0, -1.5), 29: (0.0, -4.0), 57: (0.0, 2.5),
}  # fmt: skip
"""How far (x, y) ICT's landmarks of the right half and the middle lie from where annotators of photos put them.

Measured as the mean disagreement with a landmark network, trained on photos, on renders of this
head: annotators follow the brow's hair and not the ridge above it, and space the nose's bridge evenly.
"""


def place_landmarks(bent: np.ndarray, topology: Topology, ict: IctModel) -> SurfacePoints:
    """The head's points closest to ICT's landmarks, once bent to ICT; exactly symmetrical."""
    normals = mesh_normals(ict.neutral, ict.faces_within(0, 14062))[ict.landmarks]
    outer = topology.faces[np.isin(topology.parts, ["head", "neck"])]
    wanted = toward_annotators(ict.neutral[ict.landmarks])
    return embed(wanted, normals, bent, outer, topology.mirror)


def toward_annotators(points: np.ndarray) -> np.ndarray:
    """Landmarks (68, 3), metres, moved as ``TOWARD_ANNOTATORS_MM`` says, both sides alike."""
    moved = points.copy()
    for index, (x, y) in TOWARD_ANNOTATORS_MM.items():
        moved[index] += np.array([x, y, 0]) * 1e-3
        if MIRROR_68[index] != index:
            moved[MIRROR_68[index]] += np.array([-x, y, 0]) * 1e-3
    return moved


def embed(
    wanted: np.ndarray, normals: np.ndarray, vertices: np.ndarray, faces: np.ndarray, mirror: np.ndarray
) -> SurfacePoints:
    """The points of a symmetrical mesh closest to 68 landmarks (68, 3) where its normals agree with theirs."""
    found = closest_points(wanted, vertices, faces, normals, -0.2)
    triangles, barycentric = found.triangles.copy(), found.barycentric.copy()
    for index, partner in enumerate(MIRROR_68):
        if partner == index:
            triangles[index], barycentric[index] = _on_midline(wanted[index], normals[index], vertices, faces, mirror)
        elif partner > index:
            triangles[partner], barycentric[partner] = mirror[triangles[index]], barycentric[index]
    return SurfacePoints(triangles, barycentric, np.ones(68, dtype=bool))


def _on_midline(point: np.ndarray, normal: np.ndarray, vertices: np.ndarray, faces: np.ndarray, mirror: np.ndarray):
    """Closest point of the mesh's middle line, as (triangle (3,), barycentric (3,)).

    Closed lips touch: only the lip whose normal agrees is meant.
    """
    central = mirror[faces] == faces
    corners = faces[central.sum(1) == 2]
    central = central[central.sum(1) == 2]
    facing = face_normals(vertices, corners) @ normal
    edges = np.array([[*f[c], f[c][0]] for f, c in zip(corners, central)])
    weights = closest_barycentric(point[None], vertices[edges])
    places = (vertices[edges] * weights[..., None]).sum(1)
    best = np.where(facing > -0.2, np.linalg.norm(places - point, axis=1), np.inf).argmin()
    return edges[best], weights[best]


REAR_LIMIT = np.array([-60.0, -60.0, -58.0, -52.0, -42.0, -27.0, -8.0, 9.0]) * 1e-3
"""How far back (z, metres) contour landmarks 0 to 7 slide on the side that is near: ear, jaw angle, jaw's edge."""

NEAR_SIDE_YAW = np.radians(35.0)
"""The yaw at which the near side's landmarks have reached their rear limit."""

PIVOT_Z = -0.04
"""Depth of the vertical axis about which a horizontal section of the head is walked."""


def slide_contour(mean: np.ndarray, topology: Topology, landmarks: SurfacePoints) -> tuple[np.ndarray, np.ndarray]:
    """Tables of the contour landmarks for every yaw bin.

    Landmarks 0 to 7 slide along horizontal sections of the mean head (V, 3): on
    the far side to the outline seen at that yaw, on the near side back to ear
    and jaw. At yaw zero they are the fixed ones; 8, the chin, never slides.

    Returns:
        triangles (Y, 17, 3) and barycentrics (Y, 17, 3), mirror images of each other left and right.
    """
    outer = topology.faces[np.isin(topology.parts, ["head", "neck"])]
    triangles = np.repeat(landmarks.triangles[None, :17], len(YAW_BINS), 0)
    barycentric = np.repeat(landmarks.barycentric[None, :17], len(YAW_BINS), 0)
    for index in range(8):
        home = (mean[landmarks.triangles[index]] * landmarks.barycentric[index][:, None]).sum(0)
        path_triangles, path_weights, path = _section(mean, outer, home, REAR_LIMIT[index])
        path_triangles = np.concatenate([path_triangles, landmarks.triangles[index][None]])
        path_weights = np.concatenate([path_weights, landmarks.barycentric[index][None]])
        for step, yaw in enumerate(YAW_BINS):
            chosen = _choose(path, home, yaw, REAR_LIMIT[index])
            triangles[step, index], barycentric[step, index] = path_triangles[chosen], path_weights[chosen]
            triangles[-1 - step, 16 - index] = topology.mirror[path_triangles[chosen]]
            barycentric[-1 - step, 16 - index] = path_weights[chosen]
    return triangles, barycentric


def _section(vertices: np.ndarray, faces: np.ndarray, home: np.ndarray, rear: float):
    """The right half of the head's outline at a height, back to front: triangles, barycentrics, points."""
    turned = vertices[:, [1, 0, 2]] - [home[1] - 1e-7, 0, 0]
    triangles, weights = cut_plane(turned, faces, 0.0)
    points = (vertices[triangles] * weights[..., None]).sum(1)
    keep = (points[:, 0] <= 1e-4) & (points[:, 2] >= min(rear, home[2]) - 0.004)
    triangles, weights, points = triangles[keep], weights[keep], points[keep]
    angle = np.degrees(np.arctan2(-points[:, 0], points[:, 2] - PIVOT_Z))
    radius = np.hypot(points[:, 0], points[:, 2] - PIVOT_Z)
    order = []
    for low in np.arange(180, -2, -1.5):
        within = np.flatnonzero((angle >= low) & (angle < low + 1.5))
        if len(within):
            order.append(within[radius[within].argmax()])
    return triangles[order], weights[order], points[order]


def _choose(path: np.ndarray, home: np.ndarray, yaw: float, rear: float) -> int:
    """Index on the path, or -1 for the landmark's home."""
    if yaw > 0:  # the face turns to its own left: the right side is near
        wanted = home[2] + (rear - home[2]) * min(yaw / NEAR_SIDE_YAW, 1.0)
        behind = np.flatnonzero(path[:, 2] < home[2])
        if len(behind) == 0 or wanted > home[2] - 0.002:
            return -1
        return int(behind[np.abs(path[behind, 2] - wanted).argmin()])
    sideways = path[:, 0] * np.cos(yaw) + path[:, 2] * np.sin(yaw)
    at_home = home[0] * np.cos(yaw) + home[2] * np.sin(yaw)
    ahead = np.flatnonzero(path[:, 2] > home[2])
    best = ahead[sideways[ahead].argmin()] if len(ahead) else -1
    return int(best) if best >= 0 and sideways[best] < at_home else -1
