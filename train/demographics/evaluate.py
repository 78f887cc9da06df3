"""How good the estimator is, on the benchmark's two datasets and for each group of people in them.

    python -m train.demographics.evaluate --utkface DATA/eval/UTKFace --fairface DATA/eval/FairFace

Faces are found and aligned by the shipped detector; a photo in which it finds none is taken
for a crop of a face. Prints JSON. Intervals are 95 % by bootstrap over faces; ECE is the
expected calibration error (Guo et al., ICML 2017) over 15 bins, percent.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from facerecon.demographics.categories import FAIRFACE_AGES
from facerecon.demographics.estimator import DemographicsEstimate, DemographicsEstimator
from facerecon.demographics.labels import RACE_SYSTEMS
from facerecon.types import Face
from train.command_line import command
from train.data import open_dataset
from train.data.packs import FaceLabels

BINS = list(FAIRFACE_AGES.values())
RESAMPLES = 1000
SMALLEST_GROUP = 15  # faces; of fewer nothing is said


def age_bin(age: float) -> int:
    """Number of FairFace's bin for an age in years."""
    return next((i for i, (low, high) in enumerate(BINS) if age < high), len(BINS) - 1)


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error in percent, from confidences (N,) and whether each was right (N,)."""
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[number == b].mean() - right[number == b].mean()) * (number == b).mean() for b in set(number)]
    return 100 * float(sum(gaps))


def interval(values: np.ndarray) -> list[float]:
    """95 % interval of the mean of values (N,), by bootstrap."""
    rng = np.random.default_rng(0)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLES)]
    return [round(float(v), 2) for v in np.percentile(means, (2.5, 97.5))]


def measure(estimates: list[DemographicsEstimate], truth: list[FaceLabels], system: str) -> dict:
    """All numbers of one dataset, ``system`` being ``"utkface"`` or ``"fairface"``."""
    columns = compare(estimates, truth, system)
    out: dict = {"faces": len(truth), "not_found": sum(e.face is None for e in estimates)}
    for name, values in columns.items():
        known = values[~np.isnan(values)]
        if len(known) and not name.endswith("_confidence"):
            out[name] = {"mean": round(float(known.mean()), 2), "interval": interval(known)}
    for name in ("gender", "race"):
        right, confidence = columns[f"{name}_percent"], columns[f"{name}_confidence"]
        known = ~np.isnan(right)
        if not known.any():
            continue
        out[f"{name}_ece_percent"] = round(calibration_error(confidence[known], right[known] / 100), 2)
    out["groups"] = by_group(columns, truth, system)
    out["worst"] = worst(out["groups"])
    return out


def compare(estimates: list[DemographicsEstimate], truth: list[FaceLabels], system: str) -> dict[str, np.ndarray]:
    """Columns (N,) of numbers, one a face; NaN where the truth says nothing. Accuracies are 0 or 100."""
    rows = []
    for found, real in zip(estimates, truth):
        race = getattr(found, system)
        label = race_label(real, system)
        if system == "utkface":  # its fifth label, Others, is no group that a face could be told to belong to
            race = {k: v for k, v in race.items() if k != "Others"}
            label = None if label == "Others" else label
        guess = max(race, key=race.__getitem__)
        row = {
            "gender_percent": 100.0 * (found.dominant_gender == real.gender) if real.gender else np.nan,
            "gender_confidence": found.gender[found.dominant_gender],
            "race_percent": 100.0 * (guess == label) if label else np.nan,
            "race_confidence": race[guess] / sum(race.values()),
        }
        if real.age is not None:
            row |= {"age_error_years": abs(found.age - real.age), "age_bias_years": found.age - real.age}
            row["age_within_2_std_percent"] = 100.0 * (abs(found.age - real.age) <= 2 * found.age_std)
        elif real.age_range is not None:
            away = abs(age_bin(found.age) - BINS.index(real.age_range))
            row |= {"age_bin_percent": 100.0 * (away == 0), "age_bin_or_next_percent": 100.0 * (away <= 1)}
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def race_label(real: FaceLabels, system: str) -> str | None:
    """The truth in the dataset's own word."""
    if system == "fairface":
        return real.ethnicity
    return next((label for label, ours in RACE_SYSTEMS["utkface"].items() if ours == real.race), None)


def by_group(columns: dict[str, np.ndarray], truth: list[FaceLabels], system: str) -> dict[str, dict]:
    """Means for each race, gender and age bin, and each race and gender together; who is not labelled is in no group."""
    members: dict[str, list[int]] = {}
    for i, real in enumerate(truth):
        for key in groups_of(real, system):
            members.setdefault(key, []).append(i)
    groups = {}
    for key in sorted(members):
        picked = {k: v[members[key]] for k, v in columns.items() if not k.endswith("_confidence")}
        means = {k: round(float(np.nanmean(v)), 1) for k, v in picked.items() if not np.isnan(v).all()}
        groups[key] = {"faces": len(members[key]), **means}
    return groups


def groups_of(real: FaceLabels, system: str) -> list[str]:
    """The groups that a face belongs to by its labels."""
    race, groups = race_label(real, system), []
    if race is not None:
        groups.append(f"race {race}")
    if real.gender is not None:
        groups.append(f"gender {real.gender}")
    if race is not None and real.gender is not None:
        groups.append(f"{race} {real.gender}")
    years = real.age if real.age is not None else real.age_range[0] if real.age_range is not None else None
    if years is not None:
        groups.append(f"age {list(FAIRFACE_AGES)[age_bin(years)]}")
    return groups


def worst(groups: dict[str, dict]) -> dict[str, str]:
    """For each number the group it is worst for."""
    large = {key: g for key, g in groups.items() if g["faces"] >= SMALLEST_GROUP}
    out = {}
    for name, pick in (("gender_percent", min), ("race_percent", min), ("age_error_years", max), ("age_bin_or_next_percent", min)):
        having = {key: g[name] for key, g in large.items() if name in g}
        if having:
            key = pick(having, key=having.__getitem__)
            out[name] = f"{key}: {having[key]}"
    return out


def found_faces(pack, cache: Path | None) -> list[Face | None]:  # noqa: ANN001
    """Where the shipped detector finds the face nearest the middle of each photo; kept in a file for the next time."""
    from facerecon.faces import choose_faces, create_detector

    if cache is not None and cache.is_file():
        points = np.load(cache)
        return [None if np.isnan(p).any() else Face(np.concatenate((p.min(0), p.max(0))), p) for p in points]
    detector, faces = create_detector(refine=True), []
    for i in range(len(pack)):
        image = pack.image(i)
        found = detector.detect(image)
        faces.append(choose_faces(found, "center", image.shape)[0][1] if found else None)
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.save(cache, np.stack([np.full((5, 2), np.nan, np.float32) if f is None else f.points for f in faces]))
    return faces


def speed(estimator: DemographicsEstimator, runs: int = 40) -> dict[str, float]:
    """Milliseconds a face, the least of several tries: one at a time and in a batch, alignment and both looks included, detection not."""
    photo = np.random.default_rng(0).integers(0, 255, (600, 800, 3), dtype=np.uint8)
    points = np.array([[350, 250], [450, 250], [400, 310], [360, 360], [440, 360]], np.float32)
    face, out = Face(np.array([300, 180, 500, 420], np.float32), points), {}
    for count in (1, 32):
        estimator.predict([photo] * count, [face] * count)
        times = []
        for _ in range(max(runs // count, 5)):
            started = time.perf_counter()
            estimator.predict([photo] * count, [face] * count)
            times.append((time.perf_counter() - started) / count)
        out[f"batch_{count}_ms"] = round(1000 * min(times), 2)
    return out


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utkface", type=Path)
    parser.add_argument("--fairface", type=Path)
    parser.add_argument("--weights", type=Path, help="a file instead of the shipped one")
    parser.add_argument("--cache", type=Path, help="folder that remembers where faces were found")
    args = parser.parse_args()
    estimator = DemographicsEstimator.from_pretrained(path=args.weights)
    report: dict = {"speed": speed(estimator)}
    for system in RACE_SYSTEMS:
        path = getattr(args, system, None)
        if path is None:
            continue
        pack = open_dataset(system, path)
        faces = found_faces(pack, args.cache / f"{system}.npy" if args.cache else None)
        estimates = estimator.predict([pack.image(i) for i in range(len(pack))], faces)
        report[system] = measure(estimates, [pack.labels(i) for i in range(len(pack))], system)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    command(main)
