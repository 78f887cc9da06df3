"""From what was said frame by frame to people who perform: one identity each, motion without jitter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from facerecon.head import HeadModel
from facerecon.reconstruction.same_person import mean_person
from facerecon.types import Demographics, HeadParameters, PersonShape
from facerecon.video.motion import reposed, steadied
from facerecon.video.smoothing import Method
from facerecon.video.store import Table, join_tables, select

# A track that the detector saw less often, and never for certain, is taken for a false alarm.
FEWEST_DETECTIONS = 2
CERTAIN_SCORE = 0.97
SAME_PERSON = 0.5  # cosine of embeddings from which two tracks show one person
_IDENTITY_ROWS = 2000  # frames that an identity is averaged over, at most


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
    raw: Table,
    time_base: Fraction,
    method: Method = "kalman",
    known: Demographics | None = None,
    head: HeadModel | None = None,
) -> Performance | None:
    """People and their motion from the rows of an analysis; None where there is no face.

    Args:
        raw: all rows of ``VideoAnalyst.analyse`` as a table.
        time_base: seconds a step of ``pts``.
        method: of smoothing.
        known: what the user said of the person.
        head: with it, poses are fitted anew to what the shared identity moved: landmarks stay where they were seen.
    """
    groups = _people(raw)
    if not groups:
        return None
    people, tables = [], []
    for number, tracks in enumerate(groups):
        rows = select(raw, np.isin(raw["track"], tracks))
        people.append(_person(number, tracks, rows, known))
        if head is not None:
            shape = PersonShape(people[-1].identity, people[-1].mean_weights, people[-1].demographics)
            rows = reposed(rows, shape, head)
        for track in tracks:
            own = select(rows, rows["track"] == track)
            tables.append({**steadied(own, time_base, method), "person": np.full(len(own["frame"]), number, np.int32)})
    table = join_tables(tables)
    table = select(table, np.lexsort((table["person"], table["frame"])))
    people = [replace(person, best=_best_row(table, person.number)) for person in people]
    return Performance(people, table, time_base)


def _people(raw: Table) -> list[list[int]]:
    """Tracks grouped by person, the person seen most often first."""
    if not raw:
        return []
    numbers, frames = np.unique(raw["track"], return_counts=True)
    count = dict(zip(numbers.tolist(), frames.tolist()))
    kept = [track for track in count if _is_face(select(raw, raw["track"] == track))]
    kept = kept or [max(count, key=count.__getitem__)]
    groups = _merged(raw, kept)
    return sorted(groups, key=lambda tracks: (-sum(count[t] for t in tracks), tracks))


def _is_face(rows: Table) -> bool:
    return bool(rows["detected"].sum() >= FEWEST_DETECTIONS or rows["score"].max() >= CERTAIN_SCORE)


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
    said = known or Demographics()
    stated = any(value is not None for value in (said.age, said.gender, said.race, said.ethnicity))
    judged = [
        Demographics(None if np.isnan(age) else float(age), str(gender) or None, str(race) or None, said.ethnicity)
        for age, gender, race in zip(rows["age"], rows["gender"], rows["race"])
    ]
    return replace(mean_person(judged, trust), source="user" if stated else "estimated")


def _best_row(table: Table, person: int) -> int:
    rows = np.flatnonzero(table["person"] == person)
    return int(rows[np.argmax(_trust(select(table, rows)))])
