"""Follows every face of a video: found every few frames, followed by flow in between, which landmarks may correct."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from facerecon.faces.align import fit_similarity, points_from_landmarks
from facerecon.faces.boxes import overlaps
from facerecon.faces.detect import FaceDetector
from facerecon.types import Face, Image
from facerecon.video.flow import follow_face, grey_picture, move_face
from facerecon.video.scenes import SceneCuts

if TYPE_CHECKING:
    from facerecon.faces.landmarker import FaceLandmarker

LEAST_OVERLAP = 0.3  # intersection over union under which two boxes are two faces
PATIENCE = 50  # frames for which a face that was lost may come back under its number
UNSEEN_LOOKS = 2  # looks of the detector that may miss a face which flow still follows
# What a new detection counts beside the place flow gives: the rest of its error averages out.
DETECTION_WEIGHT = 0.4
# The same for landmarks, which are seen in every frame: flow brings them along, so that averaging adds no lag.
LANDMARK_WEIGHT = 0.3
FOLLOWED = 0.3  # confidence from which landmarks count


@dataclass
class Track:
    """One face through consecutive frames of a shot.

    Attributes:
        number: of the track, in order of appearance.
        face: where it is, or was last.
        missed: looks of the detector in a row that did not see it.
        lost: frames since flow lost it, too; 0 while it is followed.
        seen: whether landmarks told where it is in this frame.
    """

    number: int
    face: Face
    missed: int = 0
    lost: int = 0
    seen: bool = False


@dataclass(frozen=True)
class Sighting:
    """A tracked face in one frame.

    Attributes:
        track: number of its track.
        face: where it is.
        detected: whether the detector saw it in this very frame.
    """

    track: int
    face: Face
    detected: bool


class FaceTracker:
    """Gives each face a number that it keeps until the shot ends or it is gone.

    Args:
        detector: finds faces.
        every: frames from one look of the detector to the next. It also looks after a cut and when a face is lost.
        landmarker: corrects flow by the landmarks of every frame, and follows faces that flow loses; None for flow alone.
    """

    def __init__(self, detector: FaceDetector, every: int = 5, landmarker: FaceLandmarker | None = None) -> None:
        self.detector, self.every, self.landmarker = detector, every, landmarker
        self.scene = 0
        self._cuts = SceneCuts()
        self._tracks: list[Track] = []
        self._next, self._since = 0, every
        self._grey = np.zeros((0, 0), np.uint8)

    def update(self, image: Image) -> list[Sighting]:
        """The faces of the next frame (H, W, 3) uint8, by number; ``scene`` counts shots."""
        if self._cuts.update(image):
            self.scene += 1
            self._tracks, self._since = [], self.every
        grey, scale = grey_picture(image)
        self._since += 1
        followed = self._follow(image, grey, scale)
        seen: set[int] = set()
        if self._since >= self.every or not followed:
            self._since = 0
            seen = self._look(image)
        self._grey = grey
        self._tracks = [track for track in self._tracks if track.lost <= PATIENCE]
        there = [track for track in self._tracks if not track.lost]
        return [Sighting(track.number, track.face, track.number in seen) for track in there]

    def _follow(self, image: Image, grey: np.ndarray, scale: float) -> bool:
        """Moves every face to where it went; False where one was lost just now."""
        there = [track for track in self._tracks if not track.lost]
        for track in self._tracks:
            track.lost += bool(track.lost)
        for track, (face, seen) in zip(there, self._moved(image, grey, scale, [track.face for track in there])):
            track.seen = seen
            if face is None or not _is_inside(face, grey.shape, scale):
                track.lost = 1
            else:
                track.face = face
        return not any(track.lost for track in there)

    def _moved(self, image: Image, grey: np.ndarray, scale: float, faces: list[Face]) -> list[tuple[Face | None, bool]]:
        """Where faces of the frame before are in this one, None for those that were lost; whether landmarks told it."""
        if self._grey.shape != grey.shape or not faces:
            return [(None, False)] * len(faces)
        flowed = [follow_face(self._grey, grey, scale, face) for face in faces]
        if self.landmarker is None:
            return [(moved, False) for moved in flowed]
        starts = [moved or face for moved, face in zip(flowed, faces)]
        seen = self.landmarker.predict(image, starts, looks=1, mirrored=False)
        out: list[tuple[Face | None, bool]] = []
        for i, (start, moved, points) in enumerate(zip(starts, flowed, points_from_landmarks(seen.points))):
            if seen.confidence[i] < FOLLOWED:
                out.append((moved, False))
                continue
            face = corrected(start, points, 1.0 if moved is None else LANDMARK_WEIGHT)
            out.append((replace(face, landmarks=seen.points[i], landmark_errors=seen.spread[i]), True))
        return out

    def _look(self, image: Image) -> set[int]:
        """Brings tracks and detections together; returns the numbers that were seen."""
        found = self.detector.detect(image)
        pairs = match([track.face for track in self._tracks], found)
        seen = set()
        for row, column in pairs:
            track = self._tracks[row]
            track.face = found[column] if track.lost else blend(track.face, found[column], with_points=not track.seen)
            track.missed = track.lost = 0
            seen.add(track.number)
        for track in self._tracks:
            if track.number not in seen:
                track.missed += 1
                track.lost = max(track.lost, int(track.missed > UNSEEN_LOOKS))
        matched = {column for _, column in pairs}
        for column, face in enumerate(found):
            if column not in matched:
                self._tracks.append(Track(self._next, face))
                seen.add(self._next)
                self._next += 1
        return seen

    def state(self) -> dict[str, np.ndarray]:
        """All that the next frame needs, as arrays."""
        rows = [
            [t.number, t.missed, t.lost, t.face.score, *t.face.box.tolist(), *t.face.points.ravel().tolist()]
            for t in self._tracks
        ]
        return {
            "tracks": np.array(rows, np.float64).reshape(-1, 18),
            "counters": np.array([self.scene, self._next, self._since], np.int64),
            "grey": self._grey,
            **{f"cuts_{name}": value for name, value in self._cuts.state().items()},
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Goes on from a state, as if there had been no break."""
        self.scene, self._next, self._since = (int(value) for value in state["counters"])
        self._grey = state["grey"]
        self._cuts.restore({name: state[f"cuts_{name}"] for name in ("last", "usual")})
        self._tracks = [
            Track(int(row[0]), _face(row[4:8], row[8:], float(row[3])), int(row[1]), int(row[2]))
            for row in state["tracks"]
        ]


def match(tracked: list[Face], found: list[Face]) -> list[tuple[int, int]]:
    """Pairs (index of tracked, index of found) of largest total overlap, each of at least ``LEAST_OVERLAP``."""
    if not tracked or not found:
        return []
    table = overlaps(np.stack([face.box for face in tracked]), np.stack([face.box for face in found]))
    table[table < LEAST_OVERLAP] = 0
    return [(int(r), int(c)) for r, c in zip(*linear_sum_assignment(-table)) if table[r, c] > 0]


def corrected(face: Face, points: np.ndarray, weight: float) -> Face:
    """A face whose five points move by ``weight`` of the way to others (5, 2); the box goes with them."""
    points = face.points + weight * (points - face.points)
    matrix = fit_similarity(face.points, points)
    moved = move_face(face, matrix, float(np.hypot(*matrix[:, 0])))
    return replace(moved, points=points.astype(np.float32))


def blend(followed: Face, found: Face, with_points: bool = True) -> Face:
    """A face where flow and detector agree best; what each detection errs averages out over several.

    Without ``with_points`` only the box moves: a detector that looks now and then would jerk those that landmarks set in every frame.
    """
    w = DETECTION_WEIGHT
    box = (1 - w) * followed.box + w * found.box
    points = (1 - w) * followed.points + w * found.points if with_points else followed.points
    marks = found if with_points else followed
    seen = {"landmarks": marks.landmarks, "landmark_errors": marks.landmark_errors}
    return replace(found, box=box.astype(np.float32), points=points.astype(np.float32), **seen)


def _face(box: Any, points: Any, score: float) -> Face:
    return Face(np.asarray(box, np.float32), np.asarray(points, np.float32).reshape(5, 2), score)


def _is_inside(face: Face, shape: tuple[int, ...], scale: float) -> bool:
    """Whether the face's centre is still in the picture."""
    centre = (face.box[:2] + face.box[2:]) / 2 * scale
    return bool((centre >= 0).all() and centre[0] < shape[1] and centre[1] < shape[0])
