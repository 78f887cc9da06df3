"""Measures the face embedding: verification, damage, speed, clusters.

    python -m train.identity.evaluate --data DATA/eval

Pairs are LFW's development test (``LFW/pairs.csv``); nobody in them was trained on. Faces are
found and aligned anew, in the damaged photo too. Ten folds: the threshold that suits nine is
tried on the tenth, as LFW's protocol has it.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np
import torch

from facerecon.faces.align import crop_face
from facerecon.identity import IdentityEncoder, similarity
from facerecon.identity.storage import load_network
from facerecon.restoration.degradations import degrade
from facerecon.types import Image
from train.command_line import command
from train.data import open_dataset
from train.identity.prepare import find_points

FOLDS = 10
FALSE_ACCEPTS = (1e-2, 1e-1)
DAMAGE_LEVELS = ("light", "medium", "heavy")
# Where LFW's crops have the points of an average face, for the few in which none is found.
USUAL_POINTS = np.array([[41.5, 48.1], [74.1, 47.6], [57.5, 67.2], [43.9, 83.8], [72.6, 83.2]])


def aligned(image: Image, size: int) -> Image:
    """The identity crop of the face that fills a photo."""
    points = find_points(image)
    if points is None:
        points = USUAL_POINTS * (len(image) / 112)
    return crop_face(image, points, size, "identity")[0]


def read_pairs(folder: Path, limit: int | None = None) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names of photos, pairs (N, 2) as indices of them, and whether each is one person (N,); about ``limit`` pairs, evenly spread."""
    with open(folder / "pairs.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    rows = rows[:: max(len(rows) // limit, 1)] if limit else rows
    names = sorted({row[side] for row in rows for side in ("first", "second")})
    index = {name: i for i, name in enumerate(names)}
    pairs = np.array([[index[row["first"]], index[row["second"]]] for row in rows])
    return names, pairs, np.array([row["same"] == "1" for row in rows])


def fold_accuracy(scores: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """Mean accuracy over ten folds and its standard error; each fold has its share of both kinds."""
    fold = np.empty(len(same), int)
    for kind in (False, True):
        fold[same == kind] = np.arange((same == kind).sum()) * FOLDS // (same == kind).sum()
    accuracies = []
    for k in range(FOLDS):
        threshold = best_threshold(scores[fold != k], same[fold != k])
        accuracies.append(np.mean((scores[fold == k] > threshold) == same[fold == k]))
    return float(np.mean(accuracies)), float(np.std(accuracies) / np.sqrt(FOLDS))


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """The threshold with the highest accuracy, half way between two scores."""
    order = np.argsort(scores)
    ranked, right = scores[order], same[order]
    correct = np.concatenate(([right.sum()], right.sum() + np.cumsum(np.where(right, -1, 1))))  # all above, ... none
    edges = np.concatenate(([ranked[0] - 1], (ranked[:-1] + ranked[1:]) / 2, [ranked[-1] + 1]))
    return float(edges[np.argmax(correct)])


def true_accept(scores: np.ndarray, same: np.ndarray, false_accept: float) -> float:
    """Share of true pairs above the threshold that lets this share of false ones pass."""
    return float(np.mean(scores[same] > np.quantile(scores[~same], 1 - false_accept)))


def summary(scores: np.ndarray, same: np.ndarray) -> dict[str, float]:
    """Accuracy and its error in percent, true accepts at false accepts, area under the curve."""
    accuracy, error = fold_accuracy(scores, same)
    ranks = np.argsort(np.argsort(np.concatenate((scores[same], scores[~same])))) + 1
    n, m = same.sum(), (~same).sum()
    out = {"accuracy": accuracy, "error": error, "auc": float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))}
    out |= {f"true_accept_at_{rate:g}": true_accept(scores, same, rate) for rate in FALSE_ACCEPTS}
    return {key: round(value, 4) for key, value in out.items()}


def verification(
    encoder: IdentityEncoder, folder: Path, levels: tuple[str, ...] = DAMAGE_LEVELS, limit: int | None = None
) -> dict[str, dict]:
    """Clean pairs, and pairs whose second photo is damaged, by level."""
    names, pairs, same = read_pairs(folder, limit)
    pack = open_dataset("lfw", folder)
    number = {name: i for i, name in enumerate(pack.names)}
    photos = [pack.image(number[name]) for name in names]
    clean = encoder.embed([aligned(photo, encoder.size) for photo in photos])
    results = {"clean": summary(similarity(clean[pairs[:, 0]], clean[pairs[:, 1]]), same)}
    for level in levels:
        rng = np.random.default_rng(0)
        damaged = encoder.embed([aligned(degrade(photos[j], level, rng), encoder.size) for j in pairs[:, 1]])
        results[level] = summary(similarity(clean[pairs[:, 0]], damaged), same)
    return results


def milliseconds(encoder: IdentityEncoder, count: int = 64) -> dict[str, float]:
    """Time a face, alone and in a batch, mirror image included."""
    crops = list(np.random.default_rng(0).integers(0, 256, (count, encoder.size, encoder.size, 3), np.uint8))
    for crop in crops[:4]:
        encoder.embed(crop)
    began = time.perf_counter()
    for crop in crops[:32]:
        encoder.embed(crop)
    alone = (time.perf_counter() - began) / 32
    encoder.embed(crops)
    began = time.perf_counter()
    encoder.embed(crops)
    return {"alone": round(alone * 1e3, 2), "in_a_batch": round((time.perf_counter() - began) / count * 1e3, 2)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the evaluation folder, with LFW in it")
    parser.add_argument("--weights", type=Path, help="a safetensors file; the shipped one by default")
    parser.add_argument("--levels", nargs="*", default=list(DAMAGE_LEVELS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, help="write the numbers here, too")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    encoder = IdentityEncoder(load_network(args.weights)) if args.weights else IdentityEncoder.from_pretrained()
    results = {"verification": verification(encoder, args.data / "LFW", tuple(args.levels))}
    results["milliseconds"] = milliseconds(encoder)
    print(json.dumps(results, indent=2))
    if args.output:
        args.output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    command(main)
