"""Does it help to know who somebody is? Shape errors with true, without, and with wrong demographics.

    python -m train.demographics.ab --synthetic runs/synthetic_test

On rendered people that training never saw (``train.reconstruction.prerender``), each at three
levels of degradation, with: nothing stated (the encoder judges), the estimator's judgement
instead, the truth stated, the average person stated, wrong values stated (another gender,
40 years off, another person's ancestry), and wrong values brought together with what was
seen (``reconstruction.fusion.reconcile``, as is done where a photo contradicts). Prints JSON; intervals are 95 % by
bootstrap over people, of the paired difference to nothing stated.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from facerecon.demographics.crops import crop_matrix
from facerecon.demographics.estimator import DemographicsEstimator
from facerecon.faces.align import template_points, warp
from facerecon.metrics.geometry import vertex_errors
from facerecon.reconstruction.fusion import in_numbers, reconcile
from facerecon.reconstruction.reconstructor import BATCH, TEMPLATE, HeadReconstructor
from facerecon.restoration.degradations import degrade
from facerecon.types import Image
from train.command_line import command
from train.demographics.evaluate import interval
from train.landmarks.data import to_unit

LEVELS = ("as it is", "light", "heavy")
GROUPS = ("african", "asian", "caucasian", "female", "male", "under 18", "18 to 60", "over 60")
Person = tuple[Tensor, Tensor, Tensor]


def degraded(images: np.ndarray, level: str) -> np.ndarray:
    """The crops (N, S, S, 3) at a level, the same every time."""
    if level == "as it is":
        return images
    return np.stack([degrade(image, level, np.random.default_rng((5, i))) for i, image in enumerate(images)])


def estimator_crop(crop: Image, size: int) -> Image:
    """The estimator's crop out of the encoder's."""
    return warp(crop, crop_matrix(template_points(crop.shape[0], TEMPLATE), size), size, cv2.BORDER_REPLICATE)


def judged(estimator: DemographicsEstimator, crops: np.ndarray) -> Person:
    """The estimator's numbers for crops of the encoder's template."""
    size = estimator.network.config.image_size
    numbers = []
    for start in range(0, len(crops), BATCH):
        part = np.stack([estimator_crop(crop, size) for crop in crops[start : start + BATCH]])
        numbers += [in_numbers(e) for e in estimator.from_crops(part)]
    return tuple(torch.cat(column) for column in zip(*numbers))


def wrong(truth: Person) -> Person:
    """Values that are false for everybody."""
    age, gender, ancestry = truth
    return torch.where(age > 45, age - 40, age + 40).clamp(0, 95), 1 - gender.round(), ancestry.roll(1, 1)


@torch.inference_mode()
def errors_of(reconstructor: HeadReconstructor, estimator: DemographicsEstimator, crops: np.ndarray, labels: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Median vertex error (N,) mm of each person under each condition."""
    head, count = reconstructor.head, len(crops)
    parts = [reconstructor.encoder(to_unit(torch.from_numpy(crops[i : i + BATCH]), reconstructor.dtype)) for i in range(0, count, BATCH)]
    identity, expression, age, gender, ancestry = (
        torch.cat([getattr(p, name) for p in parts]).float() for name in ("identity", "expression", "age", "gender", "ancestry")
    )
    truth = (labels["age"], labels["gender"], labels["ancestry"])
    nobody = (torch.full((count,), 35.0), torch.full((count,), 0.5), torch.full((count, 3), 1 / 3))
    seen, false = head.encode_demographics(age, gender, ancestry), head.encode_demographics(*wrong(truth))
    conditions = {
        "nothing stated": (seen, identity),
        "estimator": (head.encode_demographics(*judged(estimator, crops)), identity),
        "truth": (head.encode_demographics(*truth), identity),
        "average": (head.encode_demographics(*nobody), identity),
        "wrong": (false, identity),
        "wrong, reconciled": reconcile(head, identity, seen, false)[::-1],
    }
    real = head.vertices(labels["identity"], labels["expression"], head.encode_demographics(*truth)).numpy()
    mask, out = head.masks["face"].numpy(), {}
    for name, (weights, coefficients) in conditions.items():
        made = head.vertices(coefficients, expression.clamp(0, 1), weights).numpy()
        out[name] = np.array([1000 * np.median(vertex_errors(a, b, mask)) for a, b in zip(made, real)])
    return out


def members(labels: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """(N,) bool for each group."""
    age, main = labels["age"].numpy(), labels["ancestry"].argmax(1).numpy()
    masks = [main == 0, main == 1, main == 2, (labels["gender"] < 0.5).numpy(), (labels["gender"] >= 0.5).numpy()]
    return dict(zip(GROUPS, masks + [age < 18, (age >= 18) & (age <= 60), age > 60]))


def compare(errors: dict[str, np.ndarray], groups: dict[str, np.ndarray]) -> dict[str, dict]:
    """Mean error of each condition, its difference to nothing stated, and the means by group."""
    base, out = errors["nothing stated"], {}
    for name, values in errors.items():
        change = 100 * (values - base) / base.mean()
        out[name] = {"mean_mm": round(float(values.mean()), 3)}
        if name != "nothing stated":
            out[name] |= {"change_percent": round(float(change.mean()), 1), "interval": interval(change)}
        out[name]["groups_mm"] = {key: round(float(values[mask].mean()), 2) for key, mask in groups.items()}
    return out


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--synthetic", type=Path, required=True, help="folder of rendered people")
    parser.add_argument("--limit", type=int, help="at most so many people")
    args = parser.parse_args()
    images = np.load(args.synthetic / "images.npy", mmap_mode="r")[: args.limit]
    labels = {k: torch.from_numpy(v[: len(images)]) for k, v in np.load(args.synthetic / "labels.npz").items()}
    reconstructor, estimator = HeadReconstructor.from_pretrained(), DemographicsEstimator.from_pretrained()
    report = {"people": len(images)}
    for level in LEVELS:
        report[level] = compare(errors_of(reconstructor, estimator, degraded(np.array(images), level), labels), members(labels))
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    command(main)
