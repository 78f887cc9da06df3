"""Labels that may leave a choice: for each pixel the set of classes it may have, one bit a class.

A rendered pixel has one; a photo's landmarks say only that inside the face there is skin or a feature, and below the jaw
neither (learning from partial labels: Cour, Sapp and Taskar, JMLR 2011).
"""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.faces.masks import CLASSES

BACKGROUND, SKIN, FEATURES, NECK, HAIR, OTHER = range(len(CLASSES))
ANYTHING = (1 << len(CLASSES)) - 1
UNSEEN = ANYTHING | 1 << len(CLASSES)  # beyond the photo's edge
_FACE = 1 << SKIN | 1 << FEATURES
_LIPS, _EYES = slice(48, 60), (slice(36, 42), slice(42, 48))
_BROWS = (slice(17, 22), slice(22, 27))


def only(classes: np.ndarray) -> np.ndarray:
    """Classes (S, S) as sets of one each, uint8."""
    return (1 << classes.astype(np.uint8)).astype(np.uint8)


def face_hull(landmarks: np.ndarray, size: int) -> np.ndarray:
    """(size, size) bool: from the line of the jaw to the brows."""
    filled = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull((landmarks * 8).round().astype(np.int32)), 1, cv2.LINE_8, 3)
    return filled > 0


def from_landmarks(landmarks: np.ndarray, size: int) -> np.ndarray:
    """What 68 landmarks (68, 2), in pixels of a crop of ``size``, say of its pixels: (size, size) uint8 sets."""
    allowed = np.full((size, size), ANYTHING, np.uint8)
    hull = face_hull(landmarks, size).astype(np.uint8)
    extent = float(np.ptp(landmarks[:, 1]))
    margin = max(int(extent * 0.05), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1,) * 2)
    rows = np.arange(size)[:, None]
    beyond = (cv2.dilate(hull, disc, iterations=2) == 0) & (rows > landmarks[36:48, 1].mean() + 0.1 * extent)
    allowed[beyond] = ANYTHING & ~_FACE
    allowed[cv2.erode(hull, disc) > 0] = _FACE
    drawn = np.zeros((size, size), np.uint8)
    points = (landmarks * 8).round().astype(np.int32)
    for brow in _BROWS:
        cv2.polylines(drawn, [points[brow]], False, 1, max(int(extent * 0.04), 1), cv2.LINE_8, 3)
    for part in (*_EYES, _LIPS):
        cv2.fillPoly(drawn, [points[part]], 1, cv2.LINE_8, 3)
    # A cheek is skin for certain: what is neither in nor beside a feature.
    away = cv2.dilate(drawn, disc, iterations=2) == 0
    allowed[(allowed == _FACE) & away] = 1 << SKIN
    allowed[drawn > 0] = 1 << FEATURES
    return allowed
