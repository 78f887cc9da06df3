"""Groups faces by person: HDBSCAN on embeddings, then whoever does not fit the group leaves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facerecon.types import FaceReconError

ALONE = -1  # the label of faces that belong to no group


@dataclass(frozen=True)
class ClusterSettings:
    """How groups are formed.

    Attributes:
        min_size: faces of the smallest group.
        min_samples: neighbours that make a face part of a crowd; more asks for denser groups.
        epsilon: what hangs together at this Euclidean distance of unit vectors is one group in any case;
            HDBSCAN alone would divide the photos of one person when there is nobody else.
        least_similarity: cosine with the mean of the group that a member must reach.
    """

    min_size: int = 2
    min_samples: int = 1
    epsilon: float = 0.7
    least_similarity: float = 0.4


@dataclass(frozen=True)
class Clusters:
    """Faces by person.

    Attributes:
        labels: (n,) int64, 0 for the largest group, then 1, ...; ``ALONE`` for faces in no group.
        similarity: (n,) float32, cosine with the mean of the group; 0 for those alone.
    """

    labels: np.ndarray
    similarity: np.ndarray

    @property
    def count(self) -> int:
        """How many groups there are."""
        return int(self.labels.max(initial=ALONE)) + 1


def cluster(embeddings: np.ndarray, settings: ClusterSettings = ClusterSettings()) -> Clusters:
    """Groups embeddings by Campello, Moulavi and Sander, "Density-Based Clustering Based on Hierarchical Density Estimates", 2013.

    Memory grows with the number of faces, not with its square.

    Args:
        embeddings: (n, d) of unit length.
        settings: how.

    Raises:
        FaceReconError: scikit-learn is missing, or the embeddings are no (n, d) array of finite numbers.
    """
    embeddings = np.asarray(embeddings, np.float32)
    if embeddings.ndim != 2 or not np.isfinite(embeddings).all():
        raise FaceReconError("Faces are grouped by a table of finite numbers, one row a face.")
    if len(embeddings) < max(settings.min_size, 2):
        return Clusters(np.full(len(embeddings), ALONE), np.zeros(len(embeddings), np.float32))
    labels = _hdbscan(embeddings, settings)
    similarity = _similarity_to_group(embeddings, labels)
    labels = np.where(similarity < settings.least_similarity, ALONE, labels)
    labels = _largest_first(labels, settings.min_size)
    return Clusters(labels, np.where(labels == ALONE, 0, _similarity_to_group(embeddings, labels)).astype(np.float32))


def pairwise_scores(labels: np.ndarray, people: np.ndarray) -> dict[str, float]:
    """Precision, recall and F-score over pairs of faces: together, and rightly so.

    Args:
        labels: (n,) as :func:`cluster` gives them; faces that are alone share a group with nobody.
        people: (n,) who they are.
    """
    labels = np.where(labels == ALONE, labels.max(initial=0) + 1 + np.arange(len(labels)), labels)
    _, people = np.unique(people, return_inverse=True)
    together, same = _pairs(labels), _pairs(people)
    both = _pairs(labels * (people.max(initial=0) + 1) + people)
    precision, recall = both / together if together else 1.0, both / same if same else 1.0
    f_score = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f_score": f_score}


def _hdbscan(embeddings: np.ndarray, settings: ClusterSettings) -> np.ndarray:
    try:
        from sklearn.cluster import HDBSCAN  # slow to import, and needed here only
    except ImportError as error:
        raise FaceReconError("Grouping faces needs scikit-learn: run pip install scikit-learn.") from error
    tree = HDBSCAN(
        min_cluster_size=settings.min_size, min_samples=min(settings.min_samples, len(embeddings)), copy=False
    ).fit(embeddings.astype(np.float64))
    sure = tree.dbscan_clustering(settings.epsilon, settings.min_size)
    return _united(tree.labels_.astype(np.int64).clip(ALONE), sure.astype(np.int64).clip(ALONE))


def _united(labels: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """Groups that share a sure group become one, and take in its lone faces."""
    labels = labels.copy()
    for group in np.unique(sure[sure != ALONE]):
        members = sure == group
        touched = np.unique(labels[members & (labels != ALONE)])
        name = touched[0] if len(touched) else labels.max() + 1
        labels[members | np.isin(labels, touched)] = name
    return labels


def _similarity_to_group(embeddings: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) cosine with the mean of the other members; 1 for those in no group."""
    out = np.ones(len(labels))
    for label in np.unique(labels[labels != ALONE]):
        members = labels == label
        others = embeddings[members].sum(0) - embeddings[members]
        length = np.linalg.norm(others, axis=1).clip(1e-9)
        out[members] = np.einsum("nd,nd->n", embeddings[members], others) / length
    return out


def _largest_first(labels: np.ndarray, min_size: int) -> np.ndarray:
    """Numbers groups by size, and dissolves those that have become too small."""
    names, counts = np.unique(labels[labels != ALONE], return_counts=True)
    order = names[np.argsort(-counts, kind="stable")][: int((counts >= min_size).sum())]
    out = np.full(len(labels), ALONE, np.int64)
    for i, name in enumerate(order):
        out[labels == name] = i
    return out


def _pairs(labels: np.ndarray) -> int:
    counts = np.unique(labels, return_counts=True)[1].astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())
