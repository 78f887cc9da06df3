"""Error of the landmark labeller on photos with true landmarks.

    python -m train.landmarks.evaluate --data DATA/eval/YTF --weights runs/landmarks/landmarks.safetensors
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from facerecon.metrics.landmarks import landmark_nme
from train.landmarks.data import read_image, read_landmarks
from train.landmarks.label import Labeller
from train.landmarks.packs import Framing

YTF_FRAMING = Framing((1.0,), (0.5, 0.5))


def main() -> None:
    """The command line; prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    args = parser.parse_args()
    table = read_landmarks(args.data / "landmarks68.csv")
    names = sorted(table)
    images = [read_image(args.data / name) for name in names]
    found, _ = Labeller.load(args.weights).label(images, [YTF_FRAMING] * len(images))
    errors = landmark_nme(found, np.stack([table[n] for n in names])) * 100
    print(json.dumps({"faces": len(names), "mean_percent": float(errors.mean()), "median_percent": float(np.median(errors))}))


if __name__ == "__main__":
    main()
