"""Finds how much the landmarks' word counts beside the detector's: ``JOINT`` of ``facerecon/faces/center.py``.

    python -m train.detector.joint --photos runs/detector/faces --backgrounds PICTURES...

The landmarker expects large errors where there is no face. A logistic regression on candidates in freshly composed scenes, half of them
without a face, weighs the logarithm of that error, less of small faces, against the detector's logit (stacking: Wolpert, 1992); the constant puts the default threshold where
``FALSE_SHARE`` of the scenes without a face, full of what could be taken for one, have a box.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from facerecon.faces.center import CenterDetector, landmark_evidence, logit
from facerecon.faces.landmarker import FaceLandmarker, relative_error
from facerecon.faces.views import Candidates
from train.command_line import command
from train.detector.candidates import APART, LIKELY, SCENES, composed_scene, empty_half
from train.detector.export import THRESHOLD, is_face, logistic
from train.detector.scenes import Composer, Scene

FALSE_SHARE = 0.03  # of scenes without a face that may have a box at the default threshold
SEED = 990_002  # of scenes that nothing was trained on


def judged(scene: Scene, found: Candidates, landmarker: FaceLandmarker) -> np.ndarray:
    """Of a scene's likely candidates that surely are a face or none (N, 3): logit, what landmarks say, whether a face."""
    likely = [(i, true) for i in np.flatnonzero(found.scores >= LIKELY) if (true := is_face(found.boxes[i], scene, APART)) is not None]
    if not likely:
        return np.zeros((0, 3))
    seen, rows = landmarker.predict(scene.image, [found.points[i] for i, _ in likely], mirrored=False), []
    for (i, true), error in zip(likely, relative_error(seen.points, seen.spread)):
        size = float(np.sqrt((found.boxes[i, 2:] - found.boxes[i, :2]).prod()))
        rows.append((logit(found.scores[i]), landmark_evidence(float(error), size), float(true)))
    return np.array(rows)


def joint_weights(composer: Composer, detector: CenterDetector, landmarker: FaceLandmarker, scenes: int) -> tuple[float, float, float]:
    """Weights of logit and log error, and the constant, from so many scenes."""
    rng, rows, highest = np.random.default_rng(SEED), [], []
    for _ in track(range(-(-scenes // SCENES)), description="Looking at scenes"):
        batch = [composed_scene(composer, rng) for _ in range(SCENES)]
        for scene, found in zip(batch, detector.look([scene.image for scene in batch], [8.0] * SCENES)):
            rows.append(judged(scene, found, landmarker))
            if not scene.boxes:
                highest.append(rows[-1])
    table = np.concatenate(rows)
    first, second, constant = logistic(table[:, :2], table[:, 2])
    best = [(first * part[:, 0] + second * part[:, 1]).max(initial=-20.0) for part in highest]
    at = float(np.quantile(best, 1 - FALSE_SHARE))
    told = {"candidates": len(table), "faces": int(table[:, 2].sum()), "regression": [first, second, constant], "empty": len(best)}
    print(json.dumps(told))
    return float(first), float(second), float(np.log(THRESHOLD / (1 - THRESHOLD)) - at)


def main() -> None:
    """The command line; prints the three numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--photos", "--crops", "--backgrounds"):
        parser.add_argument(name, type=Path, nargs="*", default=[], help="as for train.detector.train")
    parser.add_argument("--landmarker", type=Path, help="weights; the shipped ones by default")
    parser.add_argument("--scenes", type=int, default=2400)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    composer = empty_half(args.photos, args.crops, args.backgrounds)
    detector = CenterDetector.from_pretrained(device="cpu")
    landmarker = FaceLandmarker.from_pretrained("cpu", args.landmarker)
    print(joint_weights(composer, detector, landmarker, args.scenes))


if __name__ == "__main__":
    command(main)
