"""Measures grouping by person, and fits its settings.

    python -m train.identity.evaluate_clusters --data DATA/eval

LFW's evaluation photos: people with at least five are measured, alone and among everybody
else; the settings are fitted on the people with two to four photos, who are others.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from facerecon.identity import Clusters, ClusterSettings, IdentityEncoder, cluster
from facerecon.identity.clustering import pairwise_scores
from facerecon.identity.storage import load_network
from train.command_line import command
from train.data import open_dataset
from train.identity.evaluate import aligned

LEAST_PHOTOS = 5
GRID = {"min_samples": (1, 2, 3), "least_similarity": (0.0, 0.3, 0.4, 0.5, 0.6)}


def embeddings(encoder: IdentityEncoder, folder: Path, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, d) and people (n,) of LFW photos in a folder, the first ``limit`` of them by name."""
    pack = open_dataset("lfw", folder)
    pack.names = pack.names[:limit]
    vectors = [encoder.embed(aligned(pack.image(i), encoder.size))[0] for i in range(len(pack))]
    return np.stack(vectors), np.array([pack.labels(i).person for i in range(len(pack))])


def fit(vectors: np.ndarray, people: np.ndarray) -> tuple[ClusterSettings, float]:
    """The settings of :data:`GRID` with the best pairwise F-score, and that score."""
    best, best_score = ClusterSettings(), -1.0
    for values in itertools.product(*GRID.values()):
        settings = ClusterSettings(**dict(zip(GRID, values)))
        score = pairwise_scores(cluster(vectors, settings).labels, people)["f_score"]
        if score > best_score:
            best, best_score = settings, score
    return best, best_score


def measure(vectors: np.ndarray, people: np.ndarray, settings: ClusterSettings) -> dict[str, dict[str, float]]:
    """Pairwise scores of the people with many photos: alone, and among all others."""
    counts = Counter(people.tolist())
    many = np.array([counts[name] >= LEAST_PHOTOS for name in people])
    among = cluster(vectors, settings)
    return {
        "alone": _scores(cluster(vectors[many], settings), people[many]),
        "among_all": _scores(Clusters(among.labels[many], among.similarity[many]), people[many]),
        "everybody": _scores(among, people),
    }


def _scores(found: Clusters, people: np.ndarray) -> dict[str, float]:
    scores = {key: round(value, 4) for key, value in pairwise_scores(found.labels, people).items()}
    groups = len(np.unique(found.labels[found.labels >= 0]))
    return {**scores, "faces": len(people), "people": len(np.unique(people)), "groups": groups}


def strain(faces: int = 10_000, length: int = 128) -> dict[str, float]:
    """Seconds and peak memory of grouping made-up vectors, five a person."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(faces // 5, length)).repeat(5, 0)
    vectors = centres + rng.normal(0, 0.5, centres.shape)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    began = time.perf_counter()
    groups = cluster(vectors).count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"faces": faces, "seconds": round(time.perf_counter() - began, 1), "peak_gb": round(peak, 2), "groups": groups}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the evaluation folder, with LFW in it")
    parser.add_argument("--weights", type=Path, help="a safetensors file; the shipped one by default")
    parser.add_argument("--fit", action="store_true", help="fit the settings; those of the code by default")
    parser.add_argument("--strain", type=int, default=10_000, help="made-up faces to group for time and memory; 0 for none")
    args = parser.parse_args()
    torch.set_num_threads(2)
    encoder = IdentityEncoder(load_network(args.weights)) if args.weights else IdentityEncoder.from_pretrained()
    vectors, people = embeddings(encoder, args.data / "LFW")
    results: dict = {}
    settings = ClusterSettings()
    if args.fit:
        counts = Counter(people.tolist())
        few = np.array([1 < counts[name] < LEAST_PHOTOS for name in people])
        settings, results["fit_f_score"] = fit(vectors[few], people[few])
    results |= {"settings": asdict(settings), **measure(vectors, people, settings)}
    if args.strain:
        results["strain"] = strain(args.strain)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    command(main)
