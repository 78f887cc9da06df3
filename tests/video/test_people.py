from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facerecon.head.model import HeadModel
from facerecon.reconstruction.camera import pose_of, view_of
from facerecon.types import Demographics, HeadParameters
from facerecon.video.people import geometric_median, perform
from facerecon.video.store import Table, join_tables
from tests.video.clips import StillReconstructor

BASE = Fraction(1, 25)
RNG = np.random.default_rng(0)


def rows(track: int, frames: range, identity: float = 0.0, look: int = 0, noise: float = 0.0) -> Table:
    """A track of a head that turns slowly, as an analysis gives it; ``look`` is the axis of its embeddings."""
    n, t = len(frames), np.array(frames) / 25
    yaw = 25 * np.sin(2 * t) + RNG.normal(0, noise, n)
    turns = Rotation.from_euler("y", yaw[:, None], degrees=True).as_matrix()
    focal = 800 * np.exp(RNG.normal(0, 0.1 * bool(noise), n))
    poses = [pose_of(r, np.array([300 + 40 * np.sin(k), 200]), 900.0, np.array([320, 240]), f) for r, k, f in zip(turns, t, focal)]
    expression = np.clip(0.4 + 0.3 * np.sin(3 * t)[:, None] + RNG.normal(0, 0.04 * bool(noise), (n, 52)), 0, 1)
    return {
        "frame": np.array(frames, np.int64), "pts": np.array(frames, np.int64), "scene": np.zeros(n, np.int32),
        "track": np.full(n, track, np.int32), "detected": np.arange(n) % 5 == 0, "score": np.ones(n, np.float32),
        "box": np.tile(np.float32([250, 150, 350, 250]), (n, 1)), "points": np.zeros((n, 5, 2), np.float32),
        "identity": np.full((n, 6), identity, np.float32) + RNG.normal(0, noise / 10, (n, 6)).astype(np.float32),
        "expression": expression.astype(np.float32),
        "rotation": np.array([r for r, _ in poses], np.float32), "translation_m": np.array([p for _, p in poses], np.float32),
        "focal_px": focal.astype(np.float32), "principal_point": np.tile(np.float32([320, 240]), (n, 1)),
        "lighting": np.ones((n, 9, 3), np.float32), "mean_weights": np.tile(np.float32([0.3, 0.7]), (n, 1)),
        "age": np.full(n, 40 + 10 * track, np.float32), "gender": np.full(n, "female"), "race": np.full(n, "Asian"),
        "resolution": np.ones(n, np.float32), "blur": np.full(n, 0.3, np.float32),
        "embedding": np.tile(np.eye(4, dtype=np.float32)[look], (n, 1)),
    }  # fmt: skip


def jitter(values: np.ndarray) -> float:
    return float(np.diff(values, 2, axis=0).std())


def test_a_track_has_one_identity_one_lens_and_steady_motion():
    raw = rows(0, range(100), identity=1.0, noise=1.5)
    raw["identity"][10:20] = 9  # a few bad frames
    performance = perform(raw, BASE)
    (person,) = performance.people
    assert np.abs(person.identity - 1).max() < 0.15
    assert len(np.unique(performance.table["focal_px"])) == 1
    for name, part in (("rotation", 3.0), ("expression", 3.0)):
        assert jitter(performance.table[name]) < jitter(raw[name]) / part
    head = performance.parameters(7)
    assert np.array_equal(head.identity, person.identity) and np.allclose(head.mean_weights, (0.3, 0.7))


def test_another_lens_shows_the_head_at_the_same_place():
    raw = rows(0, range(30), noise=1.5)
    still = perform(raw, BASE, "none").table
    for row in range(30):
        before = view_of(raw["rotation"][row], raw["translation_m"][row], raw["principal_point"][row], raw["focal_px"][row])
        after = view_of(*(still[name][row] for name in ("rotation", "translation_m", "principal_point", "focal_px")))
        assert np.allclose(before[0], after[0], atol=1e-5) and np.allclose(before[1], after[1], atol=1e-2)
        assert after[2] == pytest.approx(before[2], rel=1e-4)


def test_tracks_of_one_look_are_one_person_unless_seen_together():
    raw = join_tables([
        rows(0, range(0, 20), look=0), rows(1, range(0, 20), look=0),  # side by side: two people, however alike
        rows(2, range(30, 60), look=1), rows(3, range(70, 90), look=1), rows(4, range(95, 99), look=2),
    ])  # fmt: skip
    people = perform(raw, BASE).people
    assert [person.tracks for person in people] == [(2, 3), (0,), (1,), (4,)]
    assert [person.frames for person in people] == [50, 20, 20, 4]
    assert people[0].demographics.age == pytest.approx(64, abs=1)  # 60 in one track, 70 in the other
    assert replace(people[0].demographics, age=None) == Demographics(gender="female", race="Asian", source="estimated")


def test_without_embeddings_every_track_is_a_person():
    raw = join_tables([rows(0, range(0, 20)), rows(1, range(30, 60))])
    raw["embedding"] = raw["embedding"][:, :0]
    assert [person.tracks for person in perform(raw, BASE).people] == [(1,), (0,)]


def test_false_alarms_are_left_out_and_no_face_is_none():
    alarm = rows(1, range(3, 7))
    alarm["score"][:] = 0.9
    performance = perform(join_tables([rows(0, range(30)), alarm]), BASE)
    assert [person.tracks for person in performance.people] == [(0,)]
    assert set(performance.table["track"]) == {0}
    assert perform({}, BASE) is None


def test_the_best_frame_is_large_sharp_and_frontal():
    raw = rows(0, range(40))
    raw["resolution"][:] = 0.4
    raw["resolution"][31] = 1.0
    performance = perform(raw, BASE)
    assert performance.table["frame"][performance.people[0].best] == 31


def test_geometric_median_ignores_a_minority():
    points = np.concatenate((np.zeros((7, 3)), np.full((3, 3), 100.0)))
    assert np.abs(geometric_median(points, np.ones(10))).max() < 0.1


def test_landmarks_stay_where_they_were_seen_when_the_identity_is_shared():
    head = HeadModel.from_pretrained()
    raw, count = rows(0, range(12)), len(head.identity_labels)
    raw["identity"] = RNG.normal(0, 1, (12, count)).astype(np.float32)
    raw["mean_weights"] = head.demographic_weights([Demographics()]).repeat(12, 1).numpy()
    geometry = StillReconstructor(head).geometry
    raw["landmarks_68"] = np.array([geometry(HeadParameters(**own))[1] for own in each(raw)])
    misses = []
    for model in (None, head):
        performance = perform(raw, BASE, "none", head=model)
        seen = np.array([geometry(performance.parameters(row))[1] for row in range(12)])
        misses.append(np.linalg.norm(seen - raw["landmarks_68"], axis=2).mean())
    assert misses[1] < 0.8 * misses[0]


def each(raw: Table) -> list[dict]:
    """What the encoder said of each row."""
    names = "identity expression rotation translation_m focal_px principal_point lighting mean_weights".split()
    return [{"demographics": Demographics(), **{name: raw[name][row] for name in names}} for row in range(len(raw["frame"]))]
