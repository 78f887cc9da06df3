"""Reconstructed heads against scans of the same people, as the NoW and REALY benchmarks measure them.

NoW: Sanyal et al., "Learning to Regress 3D Face Shape and Expression from an Image without 3D
Supervision" (CVPR 2019). REALY: Chai et al., "REALY: Rethinking the Evaluation of 3D Face
Reconstruction" (ECCV 2022).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.spatial import cKDTree

from facerecon.metrics.geometry import umeyama
from facerecon.metrics.surfaces import SurfaceFinder

SEVEN = (36, 39, 42, 45, 33, 48, 54)
"""Which of the 68 iBUG landmarks are the seven of a NoW scan: eye corners, base of the nose, mouth corners."""
REGIONS = ("nose", "mouth", "forehead", "cheek")
ROUNDS, SAMPLES = 25, 1000
SETTLED = 1e-4  # relative change of the mean distance at which the alignment stops


def face_area(landmarks: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (3,) and radius of the part of a scan that NoW measures, from its seven landmarks (7, 3)."""
    points = np.asarray(landmarks, np.float64)
    bridge = (points[1] + points[2]) / 2
    radius = 0.7 * (np.linalg.norm(points[0] - points[3]) + np.linalg.norm(bridge - points[4]))
    return points[4] + 0.3 * (bridge - points[4]), float(radius)


def scan_distances(
    scan: np.ndarray,
    scan_landmarks: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    landmarks: np.ndarray,
    metrical: bool = False,
) -> np.ndarray:
    """Distance of each scan point of the face from a reconstruction, after alignment: NoW's protocol.

    The reconstruction is first brought to the scan by the seven landmarks, then by its nearest
    points to the scan. Where NoW's own code minimises with chumpy, this is iterated closest points.

    Args:
        scan: (N, 3) points of the scan, millimetres.
        scan_landmarks: (7, 3) on the scan.
        vertices, faces: (V, 3) in any unit, millimetres when ``metrical``; (F, 3).
        landmarks: (7, 3) on the reconstruction.
        metrical: keep the reconstruction's size (NoW's metrical challenge).

    Returns:
        (number of the face's points,) millimetres.

    Raises:
        ValueError: no point of the scan lies within the face.
    """
    centre, radius = face_area(scan_landmarks)
    scan = np.asarray(scan, np.float64)
    face = scan[np.linalg.norm(scan - centre, axis=1) <= radius]
    if not len(face):
        raise ValueError("No point of the scan lies near its landmarks.")
    scale, rotation, shift = umeyama(landmarks, scan_landmarks, with_scale=not metrical)
    moved = scale * np.asarray(vertices, np.float64) @ rotation.T + shift
    return SurfaceFinder(align_to_scan(moved, faces, face, with_scale=not metrical), faces).nearest(face)[1]


def align_to_scan(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray, with_scale: bool = True) -> np.ndarray:
    """Vertices (V, 3) moved as a whole so that the surface comes nearest to points (N, 3) (Besl and McKay 1992)."""
    chosen = points[:: max(len(points) // SAMPLES, 1)]
    vertices, before = np.asarray(vertices, np.float64), np.inf
    for _ in range(ROUNDS):
        places, distances = SurfaceFinder(vertices, faces).nearest(chosen)
        if before - distances.mean() < SETTLED * before:
            break
        before = distances.mean()
        scale, rotation, shift = umeyama(places, chosen, with_scale)
        vertices = scale * vertices @ rotation.T + shift
    return vertices


def region_errors(
    regions: dict[str, np.ndarray],
    keypoints: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    landmarks: np.ndarray,
    scale_mm: float = 1.0,
) -> dict[str, float]:
    """Root mean square distance of each region of a REALY scan from a reconstruction, mm.

    After REALY: the whole is aligned by seven landmarks, then once more for each region by its
    nearest points. REALY goes on to bend the scan's region to the reconstruction to find
    correspondences (bICP); this stops at nearest points, so its numbers are lower than REALY's
    and compare only with each other.

    Args:
        regions: points (N, 3) of the scan by name, of ``REGIONS``.
        keypoints: (85, 3) of the scan, the first 68 in iBUG order.
        vertices, faces: the reconstruction.
        landmarks: (68, 3) on the reconstruction.
        scale_mm: millimetres of a unit of this scan.
    """
    seven = list(SEVEN)
    scale, rotation, shift = umeyama(np.asarray(landmarks)[seven], np.asarray(keypoints)[seven])
    moved = scale * np.asarray(vertices, np.float64) @ rotation.T + shift
    errors = {}
    for name, points in regions.items():
        around = _near(moved, faces, points)
        aligned = align_to_scan(moved, around, points)
        distances = SurfaceFinder(aligned, around).nearest(np.asarray(points, np.float64))[1]
        errors[name] = float(np.sqrt((distances**2).mean())) * scale_mm
    return errors


def _near(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray, reach: float = 0.25) -> np.ndarray:
    """The triangles within a share of the points' extent, so that a region is compared with its like."""
    extent = float(np.linalg.norm(np.ptp(points, axis=0)))
    near = cKDTree(points).query(vertices)[0] < reach * extent
    kept = np.asarray(faces)[near[np.asarray(faces)].all(1)]
    return kept if len(kept) else np.asarray(faces)


def summary(distances: Iterable[np.ndarray]) -> dict[str, float]:
    """Median, mean and standard deviation over all points of all scans, as NoW reports them, mm."""
    every = list(distances)
    together = np.concatenate(every)
    return {
        "scans": len(every),
        "median_mm": float(np.median(together)),
        "mean_mm": float(together.mean()),
        "std_mm": float(together.std()),
    }
