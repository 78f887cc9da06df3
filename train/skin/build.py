"""Builds the statistical skin of ``weights/skin`` from the faces that ``train.detail.prepare`` unwrapped; a minute.

    python -m train.skin.build --data runs/detail/faces --output weights/skin/skin.safetensors

Principal components with missing texels: they are filled from the components found so far, and the components found anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from facerecon.reconstruction.skin_modes import SIDE, SkinModes, write
from train.command_line import command
from train.detail.data import Unwrapped

MODES, ROUNDS = 20, 3
LEAST_SEEN = 0.7  # of the face's middle
MIDDLE = (slice(10, 50), slice(12, 52))
SURE = 0.6


def build(faces: Unwrapped, count: int = MODES) -> SkinModes:
    """The model of unwrapped faces and their mirror images."""
    colours = np.stack([cv2.resize(lab.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA) for lab in faces.lab])
    colours = colours / (2.55, 1, 1) - (0, 128, 128)
    seen = np.stack([cv2.resize(weight, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for weight in faces.weight]) > SURE * 255
    kept = seen[:, *MIDDLE].mean((1, 2)) > LEAST_SEEN
    colours, seen = (np.concatenate([x[kept], x[kept][:, :, ::-1]]) for x in (colours, seen))
    relative = np.stack([lab - np.median(lab[there], axis=0) for lab, there in zip(colours, seen)])
    mean = (relative * seen[..., None]).sum(0) / np.maximum(seen.sum(0)[..., None], 1)
    known = np.repeat(seen.reshape(len(seen), -1), 3, axis=1)
    rest = np.where(known, (relative - mean).reshape(len(seen), -1), 0).astype(np.float32)
    filled = rest
    for _ in range(ROUNDS):
        left, strength, right = np.linalg.svd(filled, full_matrices=False)
        count = min(count, len(strength))
        filled = np.where(known, rest, (left[:, :count] * strength[:count]) @ right[:count])
    modes = right[:count] * (strength[:count, None] / np.sqrt(len(rest)))
    cover = cv2.GaussianBlur((seen.mean(0) > 0.3).astype(np.float32), (0, 0), 1.0)
    return SkinModes(mean.astype(np.float32), modes.reshape(count, SIDE, SIDE, 3).astype(np.float32), cover)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of train.detail.prepare")
    parser.add_argument("--output", type=Path, default=Path("weights/skin/skin.safetensors"))
    args = parser.parse_args()
    model = build(Unwrapped.read(args.data))
    write(args.output, model)
    print(f"{len(model.modes)} components, deviations {[round(float(np.sqrt((mode**2).mean())), 2) for mode in model.modes]}")


if __name__ == "__main__":
    command(main)
