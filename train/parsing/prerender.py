"""Draws labelled people ahead of training, resumable by leaving a whole folder alone.

    python -m train.parsing.prerender --data DATA --output runs/parsing_renders --count 4000

Person number *i* of a seed is always the same. Leaves ``images.npy`` (N, 160, 160, 3) and ``classes.npy`` (N, 160, 160), uint8.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from facerecon.head import HeadModel
from train.command_line import command
from train.parsing.synthetic import STORED, LabelledFaces
from train.parsing.wigs import Wigs
from train.reconstruction.appearance import Assets


def prerender(data: Path, output: Path, count: int, seed: int, minutes: float | None = None) -> int:
    """Draws ``count`` people, or as many as can be drawn in ``minutes``; returns how many."""
    if (output / "classes.npy").exists():
        return len(np.load(output / "classes.npy", mmap_mode="r"))
    head = HeadModel.from_pretrained()
    maker = LabelledFaces(head, Assets.read(data, head), Wigs(data / "appearance" / "hair"))
    images, classes = np.empty((count, STORED, STORED, 3), np.uint8), np.empty((count, STORED, STORED), np.uint8)
    began, drawn = time.monotonic(), 0
    while drawn < count and not (minutes and time.monotonic() - began > 60 * minutes):
        face, classes[drawn] = maker.sample(np.random.default_rng((seed, drawn)))
        images[drawn] = face.image
        drawn += 1
        if drawn % 200 == 0:
            print(f"{drawn} of {count}, {drawn / (time.monotonic() - began):.1f}/s", flush=True)
    output.mkdir(parents=True, exist_ok=True)
    np.save(output / "images.npy", images[:drawn])
    np.save(output / "classes.npy", classes[:drawn])
    return drawn


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with appearance/ and lighting/")
    parser.add_argument("--output", type=Path, default=Path("runs/parsing_renders"))
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, help="stop drawing by the clock")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(prerender(args.data, args.output, args.count, args.seed, args.minutes))


if __name__ == "__main__":
    command(main)
