"""From what was said frame by frame to people who perform: one identity each, motion without jitter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from scipy.spatial.transform import Rotation

from facerecon.export.animation import steady_quaternions
from facerecon.reconstruction.camera import pose_of, view_of
from facerecon.types import Demographics, HeadParameters
from facerecon.video.smoothing import Method, Motion, smooth
from facerecon.video.store import Table, join_tables, select

FEWEST_DETECTIONS = 2  # of a track; less is taken for a false alarm
SAME_PERSON = 0.5  # cosine of embeddings from which two tracks show one person
_IDENTITY_ROWS = 2000  # frames that an identity is averaged over, at most

# Noise and motion, measured on the shipped networks: docs/BENCHMARKS.md, Video.
_VIEW = Motion(noise=0.0087, acceleration=2.6, beta=5.7)  # quaternions: 1 degree, 300 degrees a second squared
_PLACE = Motion(noise=0.01, acceleration=20.0, beta=3.0)  # face sizes
_SCALE = Motion(noise=0.01, acceleration=4.0, beta=3.0)  # logarithm
_EXPRESSION = Motion(noise=0.03, acceleration=8.0, beta=2.0)
_LIGHTING = Motion(noise=0.05, acceleration=0.2, beta=0.5)


@dataclass(frozen=True)
class Person:
    """One person of a video.

    Attributes:
        number: 0 for the one seen in most frames.
        tracks: numbers of the tracks that show this person.
        frames: how many frames those are.
        identity: (K,) float32 standard deviations, shared by all frames.
        demographics: likewise shared.
        mean_weights: (D,) float32 or None, as in ``HeadParameters``.
        best: row of the performance whose picture shows the face best.
    """

    number: int
    tracks: tuple[int, ...]
    frames: int
    identity: np.ndarray
    demographics: Demographics
    mean_weights: np.ndarray | None
    best: int


@dataclass(frozen=True)
class Performance:
    """All people of a video and what they do.

    Attributes:
        people: by number.
        table: one row a face and frame, sorted by frame and person: ``frame, pts, scene, track, person,
            detected, score, box, points, rotation, translation_m, focal_px, principal_point, expression,
            lighting, resolution, blur``; what was measured is smoothed.
        time_base: seconds a step of ``pts``.
    """

    people: list[Person]
    table: Table
    time_base: Fraction

    def parameters(self, row: int) -> HeadParameters:
        """The head of a row."""
        t, person = self.table, self.people[int(self.table["person"][row])]
        return HeadParameters(
            identity=person.identity,
            expression=t["expression"][row],
            demographics=person.demographics,
            rotation=t["rotation"][row],
            translation_m=t["translation_m"][row],
            focal_px=float(t["focal_px"][row]),
            principal_point=t["principal_point"][row],
            lighting=t["lighting"][row],
            mean_weights=person.mean_weights,
        )

    def times(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Seconds from the start of the video at which rows are shown."""
        return self.table["pts"][rows] * float(self.time_base)


def perform(
    raw: Table, time_base: Fraction, method: Method = "kalman", known: Demographics | None = None
) -> Performance | None:
    """People and their motion from the rows of an analysis; None where there is no face.

    Args:
        raw: all rows of ``VideoAnalyst.analyse`` as a table.
        time_base: seconds a step of ``pts``.
        method: of smoothing.
        known: what the user said of the person.
    """
    groups = _people(raw)
    if not groups:
        return None
    people, tables = [], []
    for number, tracks in enumerate(groups):
        rows = select(raw, np.isin(raw["track"], tracks))
        people.append(_person(number, tracks, rows, known))
        for track in tracks:
            own = select(rows, rows["track"] == track)
            tables.append({**_steadied(own, time_base, method), "person": np.full(len(own["frame"]), number, np.int32)})
    table = join_tables(tables)
    table = select(table, np.lexsort((table["person"], table["frame"])))
    people = [replace(person, best=_best_row(table, person.number)) for person in people]
    return Performance(people, table, time_base)


def _people(raw: Table) -> list[list[int]]:
    """Tracks grouped by person, the person seen most often first."""
    if not raw:
        return []
    numbers, frames = np.unique(raw["track"], return_counts=True)
    looks = {int(n): int(raw["detected"][raw["track"] == n].sum()) for n in numbers}
    kept = [int(n) for n in numbers if looks[int(n)] >= FEWEST_DETECTIONS] or [int(max(looks, key=looks.__getitem__))]
    count = dict(zip(numbers.tolist(), frames.tolist()))
    groups = _merged(raw, kept)
    return sorted(groups, key=lambda tracks: (-sum(count[t] for t in tracks), tracks))


def _merged(raw: Table, tracks: list[int]) -> list[list[int]]:
    """Joins tracks, the most alike first, that show one person by their embeddings and never share a frame."""
    groups = [[track] for track in tracks]
    if raw["embedding"].shape[1] == 0:
        return groups
    sums = [raw["embedding"][raw["track"] == track].sum(0) for track in tracks]
    frames = [set(raw["frame"][raw["track"] == track].tolist()) for track in tracks]
    while True:
        pairs = [
            (_cosine(sums[a], sums[b]), a, b)
            for a in range(len(groups)) for b in range(a + 1, len(groups)) if not frames[a] & frames[b]
        ]  # fmt: skip
        alike, a, b = max(pairs, default=(0.0, 0, 0))
        if alike < SAME_PERSON:
            return [sorted(group) for group in groups]
        groups[a] += groups.pop(b)
        sums[a] = sums[a] + sums.pop(b)
        frames[a] |= frames.pop(b)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-9))


def _person(number: int, tracks: list[int], rows: Table, known: Demographics | None) -> Person:
    trust = _trust(rows)
    thin = slice(None, None, max(1, len(trust) // _IDENTITY_ROWS))
    weights = rows["mean_weights"]
    return Person(
        number=number,
        tracks=tuple(tracks),
        frames=len(trust),
        identity=geometric_median(rows["identity"][thin], trust[thin]).astype(np.float32),
        demographics=_demographics(rows, trust, known),
        mean_weights=np.average(weights, axis=0, weights=trust).astype(np.float32) if weights.shape[1] else None,
        best=0,
    )


def _trust(rows: Table) -> np.ndarray:
    """(N,) how much each frame tells of who it shows: large, sharp and frontal faces do."""
    facing = np.clip(rows["rotation"][:, 2, 2], 0.05, 1) ** 4
    return np.clip(rows["resolution"], 0.05, 1) * np.clip(1 - rows["blur"], 0.05, 1) ** 2 * facing + 1e-6


def geometric_median(points: np.ndarray, weights: np.ndarray, rounds: int = 50) -> np.ndarray:
    """The point with the least weighted sum of distances to points (N, K): a mean that few bad frames cannot move (Weiszfeld)."""
    points = np.asarray(points, np.float64)
    middle = np.average(points, axis=0, weights=weights)
    for _ in range(rounds):
        pull = weights / np.linalg.norm(points - middle, axis=1).clip(1e-6)
        middle, before = np.average(points, axis=0, weights=pull), middle
        if np.linalg.norm(middle - before) < 1e-6:
            break
    return middle


def _demographics(rows: Table, trust: np.ndarray, known: Demographics | None) -> Demographics:
    """The shared words; what the user said is in every row already."""
    if known is not None and not known.auto_detect:
        return known
    age = rows["age"]
    stated = known is not None and any(v is not None for v in (known.age, known.gender, known.race, known.ethnicity))
    return Demographics(
        age=None if np.isnan(age).all() else round(float(np.average(age, weights=trust)), 1),
        gender=_vote(rows["gender"], trust),
        race=_vote(rows["race"], trust),
        ethnicity=known.ethnicity if known else None,
        source="user" if stated else "estimated",
    )


def _vote(words: np.ndarray, trust: np.ndarray) -> str | None:
    choices = {str(word): float(trust[words == word].sum()) for word in np.unique(words)}
    return max(choices, key=choices.__getitem__) or None


def _steadied(rows: Table, time_base: Fraction, method: Method) -> Table:
    """The rows of one track under one focal length, without jitter; identity is left to the person."""
    times = rows["pts"] * float(time_base)
    focal = float(np.median(rows["focal_px"]))
    views, seen, scales = [], [], []
    for rotation, translation, principal, f in zip(
        rows["rotation"], rows["translation_m"], rows["principal_point"], rows["focal_px"]
    ):
        view, pixel, scale = view_of(rotation, translation, principal, float(f))
        views.append(view)
        seen.append(pixel)
        scales.append(scale)
    size = float(np.median(rows["box"][:, 2:] - rows["box"][:, :2]))
    views = _smooth_rotations(times, np.array(views), method)
    seen = smooth(times, np.array(seen)[:, None] / size, _PLACE, method)[:, 0] * size
    scales = np.exp(smooth(times, np.log(scales)[:, None, None], _SCALE, method)[:, 0, 0])
    poses = [pose_of(v, s, k, p, focal) for v, s, k, p in zip(views, seen, scales, rows["principal_point"])]
    lighting = smooth(times, rows["lighting"].reshape(len(times), 1, -1), _LIGHTING, method)
    kept = ("frame", "pts", "scene", "track", "detected", "score", "box", "points", "principal_point", "resolution", "blur")
    return {
        **{name: rows[name] for name in kept},
        "rotation": np.array([rotation for rotation, _ in poses], np.float32),
        "translation_m": np.array([translation for _, translation in poses], np.float32),
        "focal_px": np.full(len(times), focal, np.float32),
        "expression": smooth(times, rows["expression"][..., None], _EXPRESSION, method)[..., 0].clip(0, 1).astype(np.float32),
        "lighting": lighting.reshape(rows["lighting"].shape).astype(np.float32),
    }


def _smooth_rotations(times: np.ndarray, rotations: np.ndarray, method: Method) -> np.ndarray:
    """Rotations (T, 3, 3) through the filter as quaternions that never change sides."""
    quaternions = steady_quaternions(Rotation.from_matrix(rotations))
    smoothed = smooth(times, quaternions[:, None], _VIEW, method)[:, 0]
    return Rotation.from_quat(smoothed).as_matrix()


def _best_row(table: Table, person: int) -> int:
    rows = np.flatnonzero(table["person"] == person)
    return int(rows[np.argmax(_trust(select(table, rows)))])
