"""Error of the networks for 68 landmarks on photos that neither was trained on.

    python -m train.landmarks.evaluate labeller --data DATA/eval --weights runs/landmarks/landmarks.safetensors
    python -m train.landmarks.evaluate ytf --data DATA/eval
    python -m train.landmarks.evaluate degraded --data DATA/eval
    python -m train.landmarks.evaluate scut --data DATA/eval
    python -m train.landmarks.evaluate renders --data runs/synthetic_test
    python -m train.landmarks.evaluate heads --data runs/profiles_test
    python -m train.landmarks.evaluate mouths --data DATA/eval
    python -m train.landmarks.evaluate speed

All but the first are of the landmarker, the shipped one unless ``--weights`` names another. Each prints JSON; errors
are mean distances in per cent of the root of the area of the true landmarks' box. ``shift_out`` is the error after
``train.landmarks.label.YTF_SHIFT_PX``, by which all labels of the YouTube Faces frames lie too far right, is added to
what the network says; the plain numbers take the labels as they are.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facerecon.faces.landmarker import FaceLandmarker, Landmarks
from facerecon.faces.mouth import lip_gap
from facerecon.metrics.landmarks import landmark_nme
from facerecon.restoration.degradations import degrade
from facerecon.types import Face, Image
from train.command_line import command
from train.landmarks.data import face_of, read_image, read_landmarks
from train.landmarks.label import YTF_SHIFT_PX, Labeller
from train.landmarks.packs import Framing
from train.reconstruction.evaluate import YAW_GROUPS, find_faces

YTF_FRAMING = Framing((1.0,), (0.5, 0.5))
BROW_TO_HAIR = 0.25  # of a landmarks' box: how far a detector's box reaches above it
SHUT_LABEL, OPEN_LABEL = 0.015, 0.06  # of the eyes' distance: gaps of lips under and over which labels say shut and open
LEVELS = ("light", "medium", "heavy")


def read_benchmark(folder: Path) -> tuple[list[Image], np.ndarray]:
    """The photos of a folder and their landmarks (N, 68, 2)."""
    table = read_landmarks(folder / "landmarks68.csv")
    names = sorted(table)
    return [read_image(folder / name) for name in names], np.stack([table[name] for name in names])


def true_boxes(truth: np.ndarray) -> np.ndarray:
    """(N, 4) boxes as a detector draws them, from true landmarks."""
    low, high = truth.min(1), truth.max(1)
    low[:, 1] -= BROW_TO_HAIR * (high - low)[:, 1]
    return np.concatenate((low, high), axis=1)


def turn_of(landmarks: np.ndarray) -> np.ndarray:
    """How far heads (N, 68, 2) are turned to a side, degrees in [0, 90]: from how far the nose is off the cheeks' middle."""
    left, right = landmarks[:, 1:4].mean(1), landmarks[:, 13:16].mean(1)
    nose = landmarks[:, 30] - (left + right) / 2
    half = np.linalg.norm(right - left, axis=1) / 2
    share = np.abs(np.einsum("nd,nd->n", nose, right - left)) / (2 * half**2).clip(1e-6)
    return np.degrees(np.arcsin(share.clip(0, 1)))


def report(found: Landmarks, truth: np.ndarray, shift: np.ndarray | float = 0.0) -> dict:
    """Errors, and how well the spread told of them."""
    errors, level = landmark_nme(found.points, truth) * 100, landmark_nme(found.points + shift, truth) * 100
    size = np.sqrt((truth.max(1) - truth.min(1)).prod(1))
    expected = found.spread.mean(1) / size * 100
    of_points = np.linalg.norm(found.points + shift - truth, axis=2) / size[:, None] * 100
    out = {
        "faces": len(errors), "mean_percent": errors.mean(), "median_percent": np.median(errors),
        "worst_tenth_percent": np.sort(errors)[-max(len(errors) // 10, 1) :].mean(),
    }  # fmt: skip
    if np.any(shift):
        out["shift_out_percent"] = level.mean()
    return out | {
        "expected_percent": expected.mean(),
        "correlation_of_logs_by_face": np.corrcoef(np.log(expected), np.log(level.clip(0.05)))[0, 1],
        "correlation_of_logs_by_point": np.corrcoef(
            np.log(found.spread / size[:, None]).ravel(), np.log(of_points.clip(0.05)).ravel()
        )[0, 1],
        "mean_confidence": found.confidence.mean(),
        "under_5_percent": (level < 5).mean(),
        "over_10_percent": int((level > 10).sum()),
    }


def ytf(landmarker: FaceLandmarker, root: Path) -> dict:
    """The benchmark from true boxes and from the detector's points, with fewer looks, and by how far heads are turned."""
    images, truth = read_benchmark(root / "YTF")
    boxes, (faces, missed) = list(true_boxes(truth)), find_faces(images, refine=False)
    ways: dict[str, tuple[Sequence[Face | np.ndarray], int, bool]] = {
        "box": (boxes, 2, True), "detector": (faces, 2, True), "box_one_look": (boxes, 1, False),
        "box_two_looks": (boxes, 2, False), "box_three_looks": (boxes, 3, True), "detector_one_look": (faces, 1, False),
    }  # fmt: skip
    out = {"not_found": missed}
    for name, (places, looks, mirrored) in ways.items():
        found = landmarker.predict(images, places, looks, mirrored)
        out[name] = report(found, truth, YTF_SHIFT_PX)
        if name in ("box", "detector"):
            turn = turn_of(truth)
            groups = {f"{a}_{b}": (turn >= a) & (turn < b) for a, b in YAW_GROUPS}
            out[name]["by_turn"] = {k: report(_take(found, g), truth[g], YTF_SHIFT_PX) for k, g in groups.items() if g.sum() > 2}
    return out


def degraded(landmarker: FaceLandmarker, root: Path) -> dict:
    """The same photos after the degradations that the restorer is trained on."""
    images, truth = read_benchmark(root / "YTF")
    out = {}
    for level in LEVELS:
        worse = [degrade(image, level, np.random.default_rng(i)) for i, image in enumerate(images)]
        faces, missed = find_faces(worse, refine=False)
        out[level] = {
            "box": report(landmarker.predict(worse, list(true_boxes(truth))), truth, YTF_SHIFT_PX),
            "detector": report(landmarker.predict(worse, faces), truth, YTF_SHIFT_PX) | {"not_found": missed},
        }
    return out


def scut(landmarker: FaceLandmarker, root: Path) -> dict:
    """Points that SCUT-FBP5500 and iBUG share, in per cent of the distance between the outer eye corners."""
    from train.data import open_dataset
    from train.reconstruction.evaluate_scans import SCUT_POINTS

    pack = open_dataset("scut_fbp5500", root)
    rows = [i for i in range(len(pack)) if pack.labels(i).landmarks is not None]
    images, truth = [pack.image(i) for i in rows], np.stack([pack.labels(i).landmarks for i in rows])
    faces, missed = find_faces(images, refine=False)
    found = landmarker.predict(images, faces).points
    theirs, ours = list(SCUT_POINTS), list(SCUT_POINTS.values())
    between = np.linalg.norm(truth[:, 46] - truth[:, 50], axis=1)
    off = np.linalg.norm(found[:, ours] - truth[:, theirs], axis=2) / between[:, None] * 100
    groups = np.array([f"{pack.labels(i).race} {pack.labels(i).gender}" for i in rows])
    return {
        "faces": len(rows), "not_found": missed, "points": len(ours), "mean_percent": off.mean(),
        "median_percent": np.median(off.mean(1)), "by_point": {str(mark): value for mark, value in zip(ours, off.mean(0))},
        "by_group": {g: {"faces": int((groups == g).sum()), "mean_percent": off[groups == g].mean()} for g in sorted(set(groups))},
    }  # fmt: skip


def renders(landmarker: FaceLandmarker, root: Path) -> dict:
    """Rendered people never seen, whose landmarks are exact, by yaw."""
    labels, images = np.load(root / "labels.npz"), list(np.load(root / "images.npy", mmap_mode="r"))
    truth = labels["landmarks"]
    found = landmarker.predict(images, list(true_boxes(truth)))
    yaw = np.abs(_yaw(labels["rotation"]))
    groups = {f"{a}_{b}": (yaw >= a) & (yaw < b) for a, b in YAW_GROUPS}
    return report(found, truth) | {"by_yaw": {k: report(_take(found, g), truth[g]) for k, g in groups.items() if g.any()}}


def heads(landmarker: FaceLandmarker, root: Path) -> dict:
    """Heads of faces whose landmarks and rotation are known, cut by what the landmarker sees: brought to its landmarks, and alone."""
    from facerecon.reconstruction.reconstructor import HeadReconstructor

    labels, images = np.load(root / "labels.npz"), list(np.load(root / "images.npy", mmap_mode="r"))
    truth, reconstructor = labels["landmarks"], HeadReconstructor.from_pretrained()
    seen = landmarker.predict(images, list(true_boxes(truth)), mirrored=False)
    faces = [face_of(points, spread) for points, spread in zip(seen.points, seen.spread)]
    out: dict = {"faces": len(images)}
    for name, fits in (("alone", False), ("fitted", True)):
        reconstructor.fits = fits
        found = reconstructor.encode(images, faces)
        errors = landmark_nme(np.stack([reconstructor.geometry(head)[1] for head in found]), truth) * 100
        yaw, known = (_yaw(turn) for turn in (np.stack([head.rotation for head in found]), labels["rotation"]))
        off = np.abs(yaw - known)
        out[name] = {
            "mean_percent": errors.mean(), "yaw_off_median": np.median(off), "yaw_off_mean": off.mean(),
            "too_frontal_mean": (np.abs(known) - np.abs(yaw)).mean(),
        }  # fmt: skip
    return out


def _yaw(rotation: np.ndarray) -> np.ndarray:
    """Degrees (N,) of rotations (N, 3, 3)."""
    return np.degrees(np.arctan2(rotation[:, 0, 2], rotation[:, 2, 2]))


def mouths(landmarker: FaceLandmarker, root: Path) -> dict:
    """Shut mouths against open ones by the reader of mouths and by the gap between landmarks, clean and degraded, and portraits of
    people who were asked for a neutral face (``clean/studio_neutral_*``)."""
    reader, landmarker.mouth = landmarker.mouth, None
    images, truth = read_benchmark(root / "YTF")
    gaps = lip_gap(truth)
    known = (gaps < SHUT_LABEL) | (gaps > OPEN_LABEL)
    images, truth, wide = [image for image, k in zip(images, known) if k], truth[known], gaps[known] > OPEN_LABEL
    result = {"shut": int((~wide).sum()), "open": int(wide.sum())}
    for level in ("clean", *LEVELS):
        seen = [image if level == "clean" else degrade(image, level, np.random.default_rng(i)) for i, image in enumerate(images)]
        points = landmarker.predict(seen, list(true_boxes(truth))).points
        chance = reader.open_chance(seen, points)
        result[level] = {
            "area_under_curve": _ranked(chance, wide), "area_of_landmarks_gap": _ranked(lip_gap(points), wide),
            "shut_right": float((chance[~wide] < 0.5).mean()), "open_right": float((chance[wide] > 0.5).mean()),
        }  # fmt: skip
    neutral = [read_image(path) for path in sorted((root / "clean").glob("studio_neutral_*"))]
    if neutral:
        points = landmarker.predict(neutral, find_faces(neutral)[0]).points
        result["neutral"] = {
            "photos": len(neutral), "called_open": float((reader.open_chance(neutral, points) > 0.5).mean()),
            "landmarks_gap_median_percent": float(np.median(lip_gap(points)) * 100),
        }  # fmt: skip
    landmarker.mouth = reader
    return result


def _ranked(scores: np.ndarray, positive: np.ndarray) -> float:
    """The chance that a positive scores above a negative: the area under the ROC curve."""
    return float((scores[positive][:, None] > scores[~positive]).mean())


def speed(landmarker: FaceLandmarker, _: Path | None) -> dict:
    """Milliseconds a face, crops included, of a 640 x 480 photo."""
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    box = np.array([200.0, 100.0, 400.0, 360.0])

    def milliseconds(faces: int, **how: Any) -> float:
        times = []
        for _ in range(15):
            began = time.perf_counter()
            landmarker.predict(image, [box] * faces, **how)
            times.append((time.perf_counter() - began) / faces * 1000)
        return float(np.median(times[1:]))

    return {
        "one_look_ms": milliseconds(1, looks=1, mirrored=False), "two_looks_ms": milliseconds(1, mirrored=False),
        "two_looks_mirrored_ms": milliseconds(1), "in_a_batch_of_16_ms": milliseconds(16),
    }  # fmt: skip


def labeller(weights: Path, root: Path) -> dict:
    """The labeller on the benchmark, framing known only roughly."""
    images, truth = read_benchmark(root / "YTF")
    found, _ = Labeller.load(weights).label(images, [YTF_FRAMING] * len(images))
    errors, level = (landmark_nme(points, truth) * 100 for points in (found, found + YTF_SHIFT_PX))
    return {
        "faces": len(errors), "mean_percent": errors.mean(), "median_percent": np.median(errors), "shift_out_percent": level.mean()
    }  # fmt: skip


def _rounded(value: Any) -> Any:
    """Numbers to four digits, all the way down."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return value if isinstance(value, int) else round(float(value), 4)


def _take(found: Landmarks, mask: np.ndarray) -> Landmarks:
    return Landmarks(found.points[mask], found.spread[mask], found.confidence[mask])


def main() -> None:
    """The command line; prints JSON."""
    ways = {"ytf": ytf, "degraded": degraded, "scut": scut, "renders": renders, "heads": heads, "mouths": mouths, "speed": speed}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("labeller", *ways))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--weights", type=Path)
    args = parser.parse_args()
    if args.what == "labeller":
        result = labeller(args.weights, args.data)
    else:
        result = ways[args.what](FaceLandmarker.from_pretrained(path=args.weights), args.data)
    print(json.dumps(_rounded(result), indent=2))


if __name__ == "__main__":
    command(main)
