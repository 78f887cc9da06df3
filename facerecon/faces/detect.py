"""Finds faces in photos of any size, tight crops and turned photos among them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from facerecon.faces.align import invert, transform_points, warp
from facerecon.faces.aligned import AlignedDetector
from facerecon.faces.mtcnn import MtcnnCascade, suppress
from facerecon.types import Face, FaceReconError, Image

DETECTORS = ("mtcnn", "aligned")
_LONGEST, _SHORTEST = 1280, 320  # long side of the picture the networks look at, pixels
_MOST_ENLARGED = 4.0
_SMALLEST_FACE = 8  # pixels
_PADDING = 0.35  # of each side, when a face may fill the whole picture
# Badly degraded faces score less: one that takes up this share of the photo's short side
# passes with this share of the threshold, where no face of the photo passes in full.
_DOMINANT_SIZE, _DOMINANT_SCORE = 1 / 6, 0.6
# Less certain than this, a face may stand on its head: the other looks are compared, and
# must do better by the head start.
_CERTAIN, _HEAD_START = 0.97, 0.01


class FaceDetector(Protocol):
    """Whatever finds faces."""

    def detect(self, image: Image) -> list[Face]:
        """The faces of an (H, W, 3) uint8 photo, the largest first."""
        ...


def create_detector(name: str = "mtcnn", threshold: float = 0.85, min_face: int = 20) -> FaceDetector:
    """A detector by name.

    Args:
        name: ``"mtcnn"``, or ``"aligned"`` for photos that are FFHQ-aligned crops of one face.
        threshold: confidence in [0, 1] below which a face is not reported.
        min_face: side of the smallest face to report, pixels of the photo.

    Raises:
        FaceReconError: unknown name, or an argument out of range.
    """
    if name not in DETECTORS:
        raise FaceReconError(f"There is no face detector called {name!r}: use {', '.join(DETECTORS)}.")
    return AlignedDetector() if name == "aligned" else MtcnnDetector(threshold, min_face)


class MtcnnDetector:
    """MTCNN, with photos brought to a size that suits it, and further looks when it sees nothing.

    Args: as for :func:`create_detector`.
    """

    def __init__(self, threshold: float = 0.85, min_face: int = 20) -> None:
        if not 0 < threshold < 1:
            raise FaceReconError(f"The detection threshold lies between 0 and 1; {threshold} does not.")
        if min_face < _SMALLEST_FACE:
            raise FaceReconError(f"Faces under {_SMALLEST_FACE} pixels cannot be found; min_face is {min_face}.")
        self.threshold, self.min_face = threshold, min_face
        self._cascade = MtcnnCascade((0.6, 0.7, _DOMINANT_SCORE * threshold))

    def detect(self, image: Image) -> list[Face]:
        """The faces of a photo, the largest first.

        A face that was found only after turning the photo has its points in the head's own
        order (the first is the head's right eye), so that aligning it sets it upright.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            Faces of at least ``min_face`` pixels and ``threshold`` confidence. Where none is
            that certain, the likeliest of those that take up a good part of the photo.
        """
        if min(image.shape[:2]) < _SMALLEST_FACE:
            return []
        best, best_score = [], 0.0
        for matrix, size in _views(image.shape):
            faces = self._accepted(self._look(image, matrix, size), image.shape)
            score = max((face.score for face in faces), default=0.0)
            if score > best_score + (_HEAD_START if best else 0.0):
                best, best_score = faces, score
            if best_score >= _CERTAIN:
                break
        return sorted(best, key=lambda face: -face.size)

    def _accepted(self, candidates: list[Face], shape: tuple[int, ...]) -> list[Face]:
        """Those that reach the threshold; otherwise the best of those that dominate the photo."""
        faces = [face for face in candidates if face.score >= self.threshold]
        if faces:
            return faces
        dominant = [face for face in candidates if face.size >= _DOMINANT_SIZE * min(shape[:2])]
        return [max(dominant, key=lambda face: face.score)] if dominant else []

    def _look(self, image: Image, matrix: np.ndarray, size: tuple[int, int]) -> list[Face]:
        """Faces found after mapping the photo through ``matrix`` into a view (width, height)."""
        view = warp(image, matrix, size)
        scale = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
        boxes, points, scores = self._cascade.run(view, max(12.0, 0.9 * self.min_face * scale))
        back, faces = invert(matrix), []
        for i in suppress(boxes, scores, 0.4):
            box, five, score = boxes[i], points[i], scores[i]
            face = _to_photo(box, five, float(score), back)
            if face.size >= self.min_face and _is_plausible(face, image.shape):
                faces.append(face)
        return faces


def _views(shape: tuple[int, ...]) -> Iterator[tuple[np.ndarray, tuple[int, int]]]:
    """Ever costlier ways to look at a photo: as it is, with a margin, turned.

    Yields:
        (2, 3) photo to view, and the view's (width, height).
    """
    height, width = shape[:2]
    longest = max(height, width)
    scale = min(_MOST_ENLARGED, _SHORTEST / longest) if longest < _SHORTEST else min(1.0, _LONGEST / longest)
    yield _view(width, height, scale, 0.0, 0)
    for turns in (0, 1, 3, 2):
        padded = scale * min(1.0, _LONGEST / (longest * scale * (1 + 2 * _PADDING)))
        yield _view(width, height, padded, _PADDING, turns)


def _view(width: int, height: int, scale: float, padding: float, turns: int) -> tuple[np.ndarray, tuple[int, int]]:
    """A view scaled, padded by a share of each side and turned by quarter turns clockwise."""
    across, down = width * scale * (1 + 2 * padding), height * scale * (1 + 2 * padding)
    size = (down, across) if turns % 2 else (across, down)
    size = max(1, round(size[0])), max(1, round(size[1]))
    c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns]
    linear = scale * np.array([[c, -s], [s, c]], np.float64)
    centre, target = (np.array([width, height]) - 1) / 2, (np.array(size) - 1) / 2
    return np.concatenate((linear, (target - linear @ centre)[:, None]), axis=1), size


def _to_photo(box: np.ndarray, points: np.ndarray, score: float, back: np.ndarray) -> Face:
    corners = transform_points(box.reshape(2, 2), back)
    box = np.concatenate((corners.min(0), corners.max(0)))
    return Face(box.astype(np.float32), transform_points(points, back).astype(np.float32), score)


def _is_plausible(face: Face, shape: tuple[int, ...]) -> bool:
    """Whether the centre lies in the photo and the five points could be a face's, profiles included."""
    centre = (face.box[:2] + face.box[2:]) / 2
    if not ((centre >= 0) & (centre < (shape[1], shape[0]))).all():
        return False
    left, right, nose, mouth_left, mouth_right = face.points
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    down = mouth - eyes
    length = float(np.hypot(*down))
    if not 0.15 * face.size < length < 0.9 * face.size:
        return False
    # In the head's own frame: eyes and mouth side by side in order, nose between them in height.
    down = down / length
    across = np.array([down[1], -down[0]])
    eye_width, mouth_width = float((right - left) @ across), float((mouth_right - mouth_left) @ across)
    nose_height = float((nose - eyes) @ down)
    return eye_width > 0.08 * length and mouth_width > 0 and -0.1 * length < nose_height < 1.1 * length
