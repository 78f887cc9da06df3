"""Looks at photos of any size as a network likes them: brought to size, with a margin, turned."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from facerecon.faces.align import invert, transform_points, warp
from facerecon.types import Face, FaceReconError, Image

_LONGEST, _SHORTEST = 1280, 320  # long side of the picture the networks look at, pixels
_MOST_ENLARGED = 4.0
_SMALLEST_FACE = 8  # pixels
_PADDING = 0.35  # of each side, when a face may fill the whole picture
# Badly degraded faces score less: one that takes up this share of the photo's short side
# passes with ``dominant_score`` of the threshold, where no face of the photo passes in full.
_DOMINANT_SIZE = 1 / 6
_HEAD_START = 0.01  # by which another look must do better
_TURNED_HEAD_START = 2.0  # logits by which a turned one must: hardly a photo lies on its side or stands on its head

JointScore = Callable[[Face, float], float]  # a candidate's score, given the error that its landmarks expect, in sizes of the face
Verify = Callable[[Image, list[Face]], list[Face]]  # a photo's candidates with scores, and perhaps points, that say more


@dataclass(frozen=True)
class Candidates:
    """What a network saw in a view; N boxes that hardly overlap, pixels of the view.

    Attributes:
        boxes: (N, 4) x0, y0, x1, y1.
        points: (N, 5, 2) in the order of ``Face.points``.
        scores: (N,) in [0, 1].
    """

    boxes: np.ndarray
    points: np.ndarray
    scores: np.ndarray


class ViewingDetector(ABC):
    """Finds faces with a network that sees one view at a time, and looks again where it sees nothing.

    Args: as for ``create_detector``.

    Attributes:
        certain: with a lower score a face may stand on its head: the other looks are compared.
        dominant_score: share of the threshold with which a face passes that dominates its photo.
        worth_turning: photos in which no look saw anything of this score are not turned.
        later_doubt: share of the doubt that the threshold leaves to the first look and that later looks, which are chances
            to err as well, may have.
        joint_score: what landmarks tell of candidates, where that is known; see :class:`facerecon.faces.refined.RefinedDetector`.
    """

    certain = 0.97
    dominant_score = 0.6
    worth_turning = 0.0
    later_doubt = 1.0
    joint_score: JointScore | None = None

    def __init__(self, threshold: float = 0.85, min_face: int = 20) -> None:
        if not 0 < threshold < 1:
            raise FaceReconError(f"The detection threshold lies between 0 and 1; {threshold} does not.")
        if min_face < _SMALLEST_FACE:
            raise FaceReconError(f"Faces under {_SMALLEST_FACE} pixels cannot be found; min_face is {min_face}.")
        self.threshold, self.min_face = threshold, min_face

    @property
    def lowest_score(self) -> float:
        """The score under which a candidate is never a face."""
        return self.dominant_score * self.threshold

    @property
    def worth_verifying(self) -> float:
        """The score from which a second opinion is asked for on what dominates its photo, where there is one."""
        return self.lowest_score

    @abstractmethod
    def look(self, views: list[Image], smallest: list[float]) -> list[Candidates]:
        """What is in each of several views (H, W, 3) uint8, down to faces of ``smallest`` pixels."""

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
        return self.detect_all([image])[0]

    def detect_all(self, images: Sequence[Image], verify: Verify | None = None) -> list[list[Face]]:
        """:meth:`detect` of several photos, which may differ in size, each look at all of them together.

        Args:
            images: (H, W, 3) uint8 RGB each.
            verify: gives candidates the scores that count.
        """
        searches = [_Search(image, self, verify) for image in images]
        while active := [search for search in searches if search.goes_on]:
            views, smallest = zip(*(search.next_view() for search in active))
            for search, found in zip(active, self.look(list(views), list(smallest)), strict=True):
                search.take(found)
        return [sorted(search.best, key=lambda face: -face.size) for search in searches]


class _Search:
    """The looks at one photo and the best that was seen so far."""

    def __init__(self, image: Image, detector: ViewingDetector, verify: Verify | None = None) -> None:
        self.image, self.detector, self.verify = image, detector, verify
        self.best: list[Face] = []
        self._best_score = self._highest = 0.0
        self._looks = 0
        self._ways = list(_ways(image.shape)) if min(image.shape[:2]) >= _SMALLEST_FACE else []

    @property
    def goes_on(self) -> bool:
        """Whether a further look may help."""
        if not self._ways or self._best_score >= self.detector.certain:
            return False
        _, _, turns = self._ways[0]
        return not turns or self._highest >= self.detector.worth_turning

    def next_view(self) -> tuple[Image, float]:
        """The next view, and the size in it of the smallest face that counts."""
        self._matrix, size, _ = self._ways[0]
        scale = math.sqrt(abs(np.linalg.det(self._matrix[:, :2])))
        as_it_is = np.array_equal(self._matrix, np.eye(2, 3))
        return self.image if as_it_is else warp(self.image, self._matrix, size), 0.9 * self.detector.min_face * scale

    def take(self, found: Candidates) -> None:
        """Notes what was seen in the view."""
        _, _, turns = self._ways.pop(0)
        doubt = (1 - self.detector.threshold) * (self.detector.later_doubt if self._looks else 1.0)
        self._looks += 1
        self._highest = max(self._highest, float(found.scores.max(initial=0.0)))
        back, faces = invert(self._matrix), []
        for box, five, score in zip(found.boxes, found.points, found.scores):
            face = _to_photo(box, five, float(score), back)
            if face.size >= self.detector.min_face and _is_plausible(face, self.image.shape):
                faces.append(face)
        faces = self._accepted(self._verified(faces, 1 - doubt), 1 - doubt)
        score = max((face.score for face in faces), default=0.0)
        if score > self._score_to_beat(turned=bool(turns)):
            self.best, self._best_score = faces, score

    def _verified(self, candidates: list[Face], threshold: float) -> list[Face]:
        """The likely candidates with the scores that count; if none of these is enough, large unlikely ones as well."""
        if self.verify is None:
            return candidates
        lowest = self.detector.lowest_score
        faces = self.verify(self.image, [face for face in candidates if face.score >= lowest])
        if any(face.score >= threshold for face in faces):
            return faces
        rest = (face for face in candidates if self.detector.worth_verifying <= face.score < lowest)
        return faces + self.verify(self.image, [face for face in rest if self._dominates(face)])

    def _dominates(self, face: Face) -> bool:
        return face.size >= _DOMINANT_SIZE * min(self.image.shape[:2])

    def _score_to_beat(self, turned: bool) -> float:
        best = self._best_score
        if not self.best or not turned:
            return best + (_HEAD_START if self.best else 0.0)
        return best / (best + (1 - best) * math.exp(-_TURNED_HEAD_START))

    def _accepted(self, candidates: list[Face], threshold: float) -> list[Face]:
        """Those that reach the threshold; otherwise the best of those that dominate the photo."""
        faces = [face for face in candidates if face.score >= threshold]
        if faces:
            return faces
        likely = (face for face in candidates if face.score >= self.detector.lowest_score or face.landmarks is not None)
        dominant = [face for face in likely if self._dominates(face)]
        return [max(dominant, key=lambda face: face.score)] if dominant else []


def _ways(shape: tuple[int, ...]) -> Iterator[tuple[np.ndarray, tuple[int, int], int]]:
    """Ever costlier ways to look at a photo: as it is, with a margin, turned.

    Yields:
        (2, 3) photo to view, the view's (width, height), and its quarter turns clockwise.
    """
    height, width = shape[:2]
    longest = max(height, width)
    scale = min(_MOST_ENLARGED, _SHORTEST / longest) if longest < _SHORTEST else min(1.0, _LONGEST / longest)
    yield *_view(width, height, scale, 0.0, 0), 0
    for turns in (0, 1, 3, 2):
        padded = scale * min(1.0, _LONGEST / (longest * scale * (1 + 2 * _PADDING)))
        yield *_view(width, height, padded, _PADDING, turns), turns


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
