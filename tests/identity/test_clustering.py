"""Groups of faces: right ones from clear embeddings, none where there are none, scores that punish both errors."""

from __future__ import annotations

import numpy as np
import pytest

from facerecon.identity.clustering import ALONE, ClusterSettings, cluster, pairwise_scores
from facerecon.types import FaceReconError

pytest.importorskip("sklearn")


def people(counts: list[int], spread: float = 0.05, length: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of made-up people, in mixed order, and who each is."""
    rng = np.random.default_rng(0)
    who = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    centres = rng.normal(size=(len(counts), length))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = centres[who] + rng.normal(0, spread, (len(who), length))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), who


def test_clear_people_are_found_largest_first():
    vectors, who = people([9, 4, 6, 1])
    found = cluster(vectors)
    assert found.count == 3
    assert pairwise_scores(found.labels, who)["f_score"] == 1
    assert [int((found.labels == k).sum()) for k in range(3)] == [9, 6, 4]
    assert found.labels[who == 3].tolist() == [ALONE]
    assert found.similarity[who == 3].tolist() == [0] and found.similarity[who == 0].min() > 0.9


def test_one_person_is_one_group_and_strangers_are_none():
    vectors, _ = people([12])
    assert cluster(vectors).count == 1
    strangers, _ = people([1] * 12)
    assert (cluster(strangers).labels == ALONE).all()


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_faces_are_alone(count):
    assert cluster(np.ones((count, 4), np.float32)).labels.tolist() == [ALONE] * count


def test_strictness_sends_doubtful_faces_away():
    vectors, _ = people([10])
    vectors[0] = people([1, 1])[0][1]
    vectors[0] = vectors[1] * 0.45 + vectors[0] * 0.9
    vectors[0] /= np.linalg.norm(vectors[0])
    loose = cluster(vectors, ClusterSettings(epsilon=1.5, least_similarity=-1))
    strict = cluster(vectors, ClusterSettings(epsilon=1.5, least_similarity=0.9))
    assert loose.labels[0] == 0 and strict.labels[0] == ALONE
    assert (strict.labels[1:] == 0).all()


def test_groups_smaller_than_asked_are_dissolved():
    vectors, who = people([8, 2])
    found = cluster(vectors, ClusterSettings(min_size=3))
    assert (found.labels[who == 1] == ALONE).all() and (found.labels[who == 0] == 0).all()


def test_broken_vectors_are_refused():
    with pytest.raises(FaceReconError, match="finite"):
        cluster(np.full((3, 4), np.nan, np.float32))


def test_scores_count_pairs():
    who = np.array([0, 0, 0, 1, 1])
    assert pairwise_scores(np.array([0, 0, 1, 1, ALONE]), who) == pytest.approx(
        {"precision": 1 / 2, "recall": 1 / 4, "f_score": 1 / 3}
    )
    assert pairwise_scores(np.full(5, ALONE), who) == {"precision": 1.0, "recall": 0.0, "f_score": 0.0}
