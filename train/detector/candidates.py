"""What the detector takes for faces in composed scenes, rightly and wrongly, cut out for the landmarker.

    python -m train.detector.candidates --photos runs/detector/faces --crops runs/real --backgrounds PICTURES... --output runs/candidates

The landmarker sees every box that the detector finds, and is to say of a box without a face that there is none. So it learns from the
detector's mistakes, as the later stages of a cascade do (Viola and Jones, CVPR 2001; Zhang et al., "MTCNN", 2016), and from
faces found in the same scenes, as small, covered and badly photographed as those mistakes. Scenes are composed as for the
detector's own training, more of them without a face. Only packs whose photos show one person lend their faces: a
neighbour's face is none that should be unlearned.

``images.npy`` holds crops (N, STORED, STORED, 3), cut by the detector's points, mistakes a second time by the landmarks that the shipped
landmarker sees there; ``labels.npz`` their landmarks (N, 68, 2), not a number where there is no face.
"""

from __future__ import annotations

import argparse
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.progress import Progress

from facerecon.devices import leave_cores_to_torch
from facerecon.faces.align import points_from_landmarks, similarity_from_points, transform_points, warp
from facerecon.faces.boxes import overlaps
from facerecon.faces.center import CenterDetector
from facerecon.faces.landmarker import TEMPLATE, FaceLandmarker
from facerecon.faces.views import Candidates
from facerecon.types import FaceReconError, Image
from train.command_line import command
from train.detector.config import CONFIGS
from train.detector.data import composed_side, photographed
from train.detector.export import ALONE, FOUND, is_face
from train.detector.scenes import KINDS, Composer, Scene
from train.detector.sources import Backgrounds, FaceMixture

STORED_FACE, STORED = 112, 160  # pixels: of the landmarker's crop, and of what is kept, that crop in its middle
LIKELY = 0.1  # score from which a place counts as taken for a face
APART = 0.1  # share of the union up to which a box is not that face's
EMPTY = 0.5  # share of scenes without a face
SCENES = 24  # looked at together
MOST_WRONG, MOST_RIGHT = 3, 2  # of a scene: one chessboard is enough

Crop = tuple[Image, np.ndarray]


class CandidateCutter:
    """Composes scenes and cuts out what is found in them.

    Args:
        composer: of the scenes.
        detector: whose mistakes are wanted.
        landmarker: says how it would cut them for a second look.
    """

    def __init__(self, composer: Composer, detector: CenterDetector, landmarker: FaceLandmarker) -> None:
        self.composer, self.detector, self.landmarker = composer, detector, landmarker

    def crops(self, rng: np.random.Generator, scenes: int = SCENES) -> list[Crop]:
        """Crops (STORED, STORED, 3) with landmarks (68, 2) of so many scenes: the likeliest mistakes, and faces drawn at random."""
        seen = [composed_scene(self.composer, rng) for _ in range(scenes)]
        out = []
        for scene, found in zip(seen, self.detector.look([scene.image for scene in seen], [8.0] * len(seen))):
            out += self._wrong(scene, found) + self._right(scene, found, rng)
        return out

    def _wrong(self, scene: Scene, found: Candidates) -> list[Crop]:
        wrong = [i for i in np.argsort(-found.scores) if found.scores[i] >= LIKELY and is_face(found.boxes[i], scene, APART) is False]
        five = found.points[wrong[:MOST_WRONG]]
        if not len(five):
            return []
        landmarks = self.landmarker.predict(scene.image, list(five), mirrored=False).points
        return [(_cut(scene.image, p)[0], np.full((68, 2), np.nan)) for p in (*five, *points_from_landmarks(landmarks))]

    def _right(self, scene: Scene, found: Candidates, rng: np.random.Generator) -> list[Crop]:
        likely, out = found.boxes[found.scores >= LIKELY], []
        for k in rng.permutation(len(scene.boxes)):
            shares = overlaps([scene.boxes[k]], likely)[0]
            if not scene.ignored[k] and len(likely) and shares.max() >= FOUND and len(out) < MOST_RIGHT:
                crop, matrix = _cut(scene.image, found.points[found.scores >= LIKELY][shares.argmax()])
                out.append((crop, transform_points(scene.landmarks[k], matrix)))
        return out


def composed_scene(composer: Composer, rng: np.random.Generator) -> Scene:
    """A scene as the detector's training has them, photographed once."""
    config = CONFIGS["small"]
    return photographed(composer.scene(rng, composed_side(config, rng)), config.size, rng)


def empty_half(photos: list[Path], crops: list[Path], backgrounds: list[Path]) -> Composer:
    """A composer of scenes of which ``EMPTY`` have no face, with faces of packs whose photos show one person."""
    kinds = {name: share * (1 - EMPTY) / (1 - KINDS["empty"]) for name, share in KINDS.items()} | {"empty": EMPTY}
    return Composer(FaceMixture.load(photos, crops, [], ALONE), Backgrounds(backgrounds), CONFIGS["small"].size, kinds)


def _cut(image: Image, five: np.ndarray) -> tuple[Image, np.ndarray]:
    matrix = similarity_from_points(five, STORED_FACE, TEMPLATE)
    matrix[:, 2] += (STORED - STORED_FACE) / 2
    return warp(image, matrix, STORED, cv2.BORDER_REPLICATE), matrix


_cutter: CandidateCutter | None = None


def _start(photos: list[Path], crops: list[Path], backgrounds: list[Path]) -> None:
    global _cutter
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    composer = empty_half(photos, crops, backgrounds)
    _cutter = CandidateCutter(composer, CenterDetector.from_pretrained(device="cpu"), FaceLandmarker.from_pretrained("cpu"))


def _look(seed: tuple[int, int]) -> list[Crop]:
    return _cutter.crops(np.random.default_rng(seed))


def candidates(photos: list[Path], crops: list[Path], backgrounds: list[Path], output: Path, scenes: int, seed: int, workers: int) -> tuple[int, int]:
    """Writes the crops of so many scenes; returns how many show a face and how many do not.

    Raises:
        FaceReconError: nothing was taken for a face.
    """
    jobs = [(seed, i) for i in range(-(-scenes // SCENES))]
    found: list[Crop] = []
    leave_cores_to_torch()
    with get_context("spawn").Pool(workers, _start, (photos, crops, backgrounds)) as pool, Progress() as bar:
        for part in bar.track(pool.imap(_look, jobs), total=len(jobs), description="Looking at scenes"):
            found += part
    if not found:
        raise FaceReconError(f"In {scenes} scenes nothing was taken for a face; try more.")
    output.mkdir(parents=True, exist_ok=True)
    images, landmarks = zip(*found)
    np.save(output / "images.npy", np.stack(images))
    np.savez(output / "labels.npz", landmarks=np.stack(landmarks).astype(np.float32))
    faces = int(np.isfinite(landmarks).all((1, 2)).sum())
    return faces, len(found) - faces


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--photos", "--crops", "--backgrounds"):
        parser.add_argument(name, type=Path, nargs="*", default=[], help="as for train.detector.train")
    parser.add_argument("--output", type=Path, default=Path("runs/candidates"))
    parser.add_argument("--scenes", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    right, wrong = candidates(args.photos, args.crops, args.backgrounds, args.output, args.scenes, args.seed, args.workers)
    print(f"{right} crops of faces, {wrong} of what was taken for one")


if __name__ == "__main__":
    command(main)
