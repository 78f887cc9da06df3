"""Makes the shipped file of a trained detector: scores calibrated, 8 bits a weight.

    python -m train.detector.export --run runs/detector --photos ... --crops ... --backgrounds ... --output weights/detector

The confidence's logit is brought to a line ``slope * logit + shift`` by the last layer itself. The slope makes
it a probability on freshly composed scenes (Platt, 1999), the shift puts the default threshold where five scenes
in a hundred without a face, full of what could be taken for one, would have a box. Both are read from packs whose
photos show nobody else: a face behind the face would be a decoy, and a decoy that has a face.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from facerecon.faces.boxes import overlaps
from facerecon.faces.center import CenterDetector, build, logit
from facerecon.faces.center_network import CenterNetwork
from facerecon.faces.views import Candidates
from facerecon.quantization import compress
from facerecon.types import FaceReconError
from train.command_line import command
from train.detector.config import CONFIGS
from train.detector.photograph import photograph
from train.detector.scenes import Composer, Scene
from train.detector.sources import Backgrounds, FaceMixture

FILE = "detector.safetensors"
THRESHOLD = 0.85  # the default of ``create_detector``
FALSE_SHARE = 0.05  # of scenes without a face, decoys among them, that may have a box at the default threshold
FOUND = 0.4  # share of the union from which a box is a face's
ALONE = ("utkface", "scut", "stock", "studio", "portraits")  # packs whose photos show one person
SEED = 990_001  # of scenes that no training step draws


def trained_network(path: Path) -> tuple[CenterNetwork, dict]:
    """The network of ``detector.pt`` in float32, and the facts of its run."""
    trained = torch.load(path, map_location="cpu", weights_only=False)
    network = build(trained["config"]["network"])
    network.load_state_dict(trained["weights"])
    return network.eval(), trained


def calibrate(network: CenterNetwork, composer: Composer, scenes: int) -> tuple[float, float]:
    """Slope and shift of the confidence's logit, from so many scenes and as many without a face.

    Raises:
        FaceReconError: nothing was taken for a face.
    """
    detector, rng = CenterDetector(network, threshold=0.02, min_face=8), np.random.default_rng(SEED)

    def judged(composer: Composer) -> list[tuple[float, bool]]:
        scene = composer.scene(rng)
        return list(_judged(scene, detector.look([photograph(scene.image, rng)], [8.0])[0]))

    pairs = [pair for _ in range(scenes) for pair in judged(composer)]
    if not pairs:
        raise FaceReconError(f"In {scenes} scenes the detector took nothing for a face: train it longer, or give more --scenes.")
    logits, true = np.array(pairs).T
    without = Composer(composer.faces, composer.backgrounds, composer.size, {"empty": 1.0})
    highest = [max((logit for logit, _ in judged(without)), default=-20.0) for _ in range(scenes)]
    slope = _platt(logits, true)
    at = float(np.quantile(highest, 1 - FALSE_SHARE))
    return slope, float(np.log(THRESHOLD / (1 - THRESHOLD)) - slope * at)


def export(trained: Path, output: Path, slope: float, shift: float) -> Path:
    """Writes ``output/detector.safetensors`` and returns its path."""
    network, facts = trained_network(trained)
    with torch.no_grad():
        network.predict.weight[0] *= slope
        network.predict.bias[0] = slope * network.predict.bias[0] + shift
    output.mkdir(parents=True, exist_ok=True)
    metadata = {"config": json.dumps(facts["config"]["network"]), "steps": str(facts["steps"]), "minutes": f"{facts['minutes']:.1f}"}
    aside = output / f".{FILE}"
    save_file(compress(network.state_dict()), aside, metadata=metadata)
    aside.rename(output / FILE)
    return output / FILE


def _judged(scene: Scene, found: Candidates) -> Iterator[tuple[float, bool]]:
    """Each candidate's logit, and whether it is a face; those on ignored faces are left out."""
    for box, score in zip(found.boxes, found.scores):
        true = is_face(box, scene)
        if true is not None:
            yield logit(score), true


def is_face(box: np.ndarray, scene: Scene, apart: float = FOUND) -> bool | None:
    """Whether a box (4,) is a face of the scene; None on one that is ignored, and where it shares more than ``apart`` with one."""
    if not scene.boxes:
        return False
    shares = overlaps([box], np.array(scene.boxes, np.float32))[0]
    best = int(shares.argmax())
    if shares[best] >= FOUND:
        return None if scene.ignored[best] else True
    return None if shares[best] > apart else False


def logistic(values: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Weights (D + 1,) of a logistic regression on (N, D) values, the constant last, by Newton's method."""
    x = np.concatenate((values, np.ones((len(values), 1))), axis=1)
    weights = np.eye(x.shape[1])[0]
    for _ in range(30):
        p = 1 / (1 + np.exp(-(x @ weights).clip(-30, 30)))
        hessian = x.T @ (x * (p * (1 - p))[:, None]) + 1e-3 * np.eye(len(weights))
        weights = weights + np.linalg.solve(hessian, x.T @ (true - p))
    return weights


def _platt(logits: np.ndarray, true: np.ndarray) -> float:
    """The slope of a logistic regression."""
    return float(np.clip(logistic(logits[:, None], true)[0], 0.5, 4.0))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/detector"))
    for name in ("--photos", "--crops", "--renders", "--backgrounds"):
        parser.add_argument(name, type=Path, nargs="*", default=[], help="as for train.detector.train")
    parser.add_argument("--packs", nargs="*", default=ALONE, help="of --photos, to calibrate with")
    parser.add_argument("--scenes", type=int, default=500, help="for the calibration")
    parser.add_argument("--output", type=Path, default=Path("weights/detector"))
    args = parser.parse_args()
    faces = FaceMixture.load(args.photos, args.crops, args.renders, args.packs)
    composer = Composer(faces, Backgrounds(args.backgrounds), CONFIGS["small"].size)
    slope, shift = calibrate(trained_network(args.run / "detector.pt")[0], composer, args.scenes)
    path = export(args.run / "detector.pt", args.output, slope, shift)
    print(json.dumps({"slope": slope, "shift": shift, "bytes": path.stat().st_size}))


if __name__ == "__main__":
    command(main)
