"""Learns what sharp portraits look like, for the naturalness score (NIQE) of restored faces.

    python -m train.restoration.quality --data DATA/faces --output weights/quality

Reads the sharp portrait and studio packs, never the evaluation set; seconds of work.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

from facerecon.metrics.naturalness import NaturalSceneModel
from facerecon.restoration.scoring import QUALITY_FILE
from facerecon.types import Image
from train.command_line import command
from train.data.packs import FacePack
from train.restoration.data import PACKS

SHARP_PACKS = ("official_portraits.tar", "studio_portraits.tar")
SIDE = 256  # pixels of a restoration crop
PATCH = 64
SHRINK = 0.8  # so that even portraits saved softly are sharp in the last pixel


def portraits(root: Path, limit: int) -> list[Image]:
    """Crops (256, 256, 3) of the faces of the sharp packs, ``limit`` of each, evenly spread."""
    crops = []
    for framing in (f for f in PACKS if f.name in SHARP_PACKS):
        pack = FacePack(root / framing.name)
        for i in np.linspace(0, len(pack) - 1, min(limit, len(pack))).astype(int):
            image = pack.image(int(i))
            image = cv2.resize(image, None, fx=SHRINK, fy=SHRINK, interpolation=cv2.INTER_AREA)
            height, width = image.shape[:2]
            x = int(np.clip(framing.center[0] * width - SIDE / 2, 0, width - SIDE))
            y = int(np.clip(framing.center[1] * height - SIDE / 2, 0, height - SIDE))
            crops.append(np.ascontiguousarray(image[y : y + SIDE, x : x + SIDE]))
    return crops


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=180, help="portraits of each pack")
    args = parser.parse_args()
    model = NaturalSceneModel.fit(portraits(args.data, args.limit), PATCH)
    values = {"mean": model.mean, "covariance": model.covariance, "patch": model.patch}
    args.output.mkdir(parents=True, exist_ok=True)
    tensors = {key: torch.as_tensor(value).float() for key, value in values.items()}
    save_file(tensors, args.output / QUALITY_FILE)


if __name__ == "__main__":
    command(main)
