"""Does it help restoration to know who somebody is? Photos restored with true, without, and with wrong demographics.

    python -m train.demographics.ab_restoration --data DATA/eval --limit 60

The faces of ``degradations.csv`` whose clean photo's name says age, gender and race as UTKFace's do, at every level and
several fidelities, with nothing stated, the truth, and values that are false for everybody. For each: PSNR inside the
face's box, similarity to the clean face by our own embedding, and whether the estimator calls gender and race what
they are and how far off it is in years. Prints JSON; intervals are 95 % by bootstrap over photos, of the paired difference to nothing
stated.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.progress import track

from facerecon.demographics.estimator import DemographicsEstimator
from facerecon.identity import IdentityEncoder
from facerecon.images import load_image
from facerecon.metrics import psnr
from facerecon.pipeline import FaceReconstructor
from facerecon.types import Demographics, Face, Image, RestorationExtras
from train.command_line import command
from train.data.layouts import utkface_labels
from train.demographics.evaluate import interval
from train.restoration.evaluate import LEVELS, Sample, read_samples

FIDELITIES = (0.0, 0.3, 0.5)
TOLD_APART = ("Caucasian", "African", "Asian", "Indian")  # UTKFace's own
CONDITIONS = ("nothing stated", "truth", "wrong")
_OLDER = 40.0  # years that a wrong age is off


def truth_of(sample: Sample) -> Demographics | None:
    """What the name of the clean photo says; None where that is not all three."""
    labels = utkface_labels(sample.clean.name.removeprefix("utk_"))
    known = labels.age is not None and labels.gender is not None and labels.race in TOLD_APART
    return Demographics(labels.age, labels.gender, labels.race, source="user") if known else None


def wrong(truth: Demographics) -> Demographics:
    """False in everything."""
    return replace(
        truth,
        age=truth.age + (_OLDER if truth.age < 45 else -_OLDER),
        gender="male" if truth.gender == "female" else "female",
        race=TOLD_APART[(TOLD_APART.index(truth.race) + 1) % len(TOLD_APART)],
    )


class Judges:
    """Estimator and embedding, and what they say of a face."""

    def __init__(self) -> None:
        self.estimator, self.identity = DemographicsEstimator.from_pretrained(), IdentityEncoder.from_pretrained()

    def scores(self, sample: Sample, restored: Image, face: Face, truth: Demographics, clean: np.ndarray) -> dict[str, float]:
        """Of one restored photo; ``clean`` is the embedding of the clean face."""
        estimate = self.estimator.predict([restored], [face])[0]
        return {
            "psnr": psnr(sample.inside(restored), sample.inside(load_image(sample.clean))),
            "identity": float(self.identity.embed_faces(restored, [face])[0] @ clean),
            "gender_right": 100.0 * (estimate.dominant_gender == truth.gender),
            "race_right": 100.0 * (max(TOLD_APART, key=lambda race: estimate.race.get(race, 0.0)) == truth.race),
            "years_off": abs(estimate.age - truth.age),
        }


def compare(rows: dict[str, list[dict[str, float]]]) -> dict[str, dict]:
    """Means of each condition and their paired differences to nothing stated."""
    out: dict[str, dict] = {}
    for condition, scores in rows.items():
        out[condition] = {}
        for name in scores[0]:
            values, base = (np.array([s[name] for s in part]) for part in (scores, rows[CONDITIONS[0]]))
            out[condition][name] = {"mean": round(float(values.mean()), 3)}
            if condition != CONDITIONS[0]:
                out[condition][name] |= {"change": round(float((values - base).mean()), 3), "interval": interval(values - base)}
    return out


def measure(pipeline: FaceReconstructor, samples: list[Sample], judges: Judges) -> dict:
    """Photos, and :func:`compare` for every level and fidelity."""
    rows = {(level, w): {c: [] for c in CONDITIONS} for level in LEVELS for w in FIDELITIES}
    people: set[Path] = set()
    for sample in track(samples, description="Restoring"):
        truth, photo, clean = truth_of(sample), load_image(sample.file), load_image(sample.clean)
        faces = pipeline.detector.detect(clean)
        if truth is None or not faces:
            continue
        people.add(sample.clean)
        face = max(faces, key=lambda f: f.box[2] - f.box[0])
        vector = judges.identity.embed_faces(clean, [face])[0]
        for w in FIDELITIES:
            for condition, person in zip(CONDITIONS, (None, truth, wrong(truth))):
                made = pipeline.restore_found(
                    [photo], [[(0, face)]], w, 1, score=False, surroundings=False, extras=RestorationExtras(person=person)
                )[0]
                rows[sample.level, w][condition].append(judges.scores(sample, made.image, face, truth, vector))
    return {"photos": len(people)} | {f"{level}, fidelity {w}": compare(part) for (level, w), part in rows.items() if part[CONDITIONS[0]]}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with degradations.csv")
    parser.add_argument("--limit", type=int, help="about so many clean photos")
    args = parser.parse_args()
    samples = read_samples(args.data, args.limit)
    print(json.dumps(measure(FaceReconstructor.from_pretrained(), samples, Judges()), indent=1))


if __name__ == "__main__":
    command(main)
