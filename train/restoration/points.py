"""Finds the face in every photo of the packs, so that training cuts crops as restoring does.

    python -m train.restoration.points --data DATA/faces --output runs/points.npz

Holds one array (N, 5, 2) float32 a pack by the pack's name, pixels of its photos in their order, NaN where no face
was found. A pack that is in the file already is left alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.progress import track

from facerecon.faces.choose import choose_faces
from facerecon.faces.detect import FaceDetector
from facerecon.pipeline import FaceReconstructor
from facerecon.types import Image
from train.command_line import command
from train.data.layouts import open_dataset
from train.restoration.data import UNKNOWN, PackFraming, packs_in

MOST_OFF = 0.3  # of the photo's side: a face whose middle lies further from the photo's is somebody in the background


def face_points(image: Image, detector: FaceDetector) -> np.ndarray:
    """The five points (5, 2) of the face in the middle of a photo; NaN where there is none."""
    found = detector.detect(image)
    if not found:
        return UNKNOWN
    points = choose_faces(found, "center", image.shape[:2])[0][1].points
    off = np.abs(points.mean(0) - np.array(image.shape[1::-1]) / 2).max()
    return points if off <= MOST_OFF * max(image.shape[:2]) else UNKNOWN


def find_points(root: Path, output: Path, detector: FaceDetector, packs: tuple[PackFraming, ...] | None = None) -> dict[str, float]:
    """Adds the packs in ``root`` to the file ``output``; returns the share of each pack's photos with a face."""
    points = dict(np.load(output)) if output.exists() else {}
    for framing, path in packs_in(root, packs):
        if framing.name in points:
            continue
        pack = open_dataset(framing.layout, path)
        rows = [face_points(pack.image(i), detector) for i in track(range(len(pack)), description=framing.name)]
        points[framing.name] = np.array(rows, np.float32).reshape(-1, 5, 2)
        output.parent.mkdir(parents=True, exist_ok=True)
        np.savez(output, **points)
    return {name: float(np.isfinite(found[:, 0, 0]).mean()) for name, found in points.items()}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the packs")
    parser.add_argument("--output", type=Path, default=Path("runs/points.npz"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)  # the pictures are small: threads would only wait for each other
    print(find_points(args.data, args.output, FaceReconstructor().detector))


if __name__ == "__main__":
    command(main)
