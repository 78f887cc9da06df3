"""How far a reconstruction can be trusted: fit of the landmarks, sharpness of the crop, pose."""

from __future__ import annotations

import numpy as np

from facerecon.faces.align import points_from_landmarks
from facerecon.metrics.sharpness import blur_score
from facerecon.types import HeadParameters, Image

FIT_TOLERANCE = 0.05
"""Mean distance between found and rebuilt points, in face sizes, at which the fit's score has fallen to 1/e."""
SHARP_BLUR, LOST_BLUR = 0.30, 0.80
"""Perceptual blur of the crop at which the score of sharpness is 1, and 0."""
FRONTAL_DEGREES, PROFILE_DEGREES = 15.0, 90.0
"""Angle between the face and the line of sight at which the score of the pose is 1, and 0."""


def assess(crop: Image, points: np.ndarray, landmarks: np.ndarray, parameters: HeadParameters) -> dict[str, float]:
    """Scores in [0, 1], higher is better.

    Args:
        crop: (S, S, 3) uint8, what the encoder saw.
        points: (5, 2) pixels of the photo, where the detector found the face.
        landmarks: (68, 2) pixels of the photo, of the reconstructed head.
        parameters: pose and camera.

    Returns:
        ``quality``, the geometric mean of the others: ``landmark_fit``, how near the head's eyes, nose and mouth
        lie to the detector's, ``sharpness`` of the crop and ``frontality``.
    """
    size = float(np.sqrt(np.ptp(landmarks, axis=0).prod()))
    distance = np.linalg.norm(points_from_landmarks(landmarks) - points, axis=1).mean() / max(size, 1e-6)
    scores = {
        "landmark_fit": float(np.exp(-((distance / FIT_TOLERANCE) ** 2))),
        "sharpness": float(np.clip((LOST_BLUR - blur_score(crop)) / (LOST_BLUR - SHARP_BLUR), 0, 1)),
        "frontality": frontality(parameters),
    }
    return {"quality": float(np.prod(list(scores.values())) ** (1 / len(scores))), **scores}


def frontality(parameters: HeadParameters) -> float:
    """1 for a face that looks into the lens, 0 in profile."""
    forward = np.asarray(parameters.rotation, np.float64)[:, 2]
    sight = -np.asarray(parameters.translation_m, np.float64)
    cosine = float(forward @ sight / max(np.linalg.norm(sight), 1e-9))
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return float(np.clip((PROFILE_DEGREES - angle) / (PROFILE_DEGREES - FRONTAL_DEGREES), 0, 1))
