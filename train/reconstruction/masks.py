"""Marks where the photos with landmarks show bare skin, for the losses of the head's picture.

    python -m train.reconstruction.masks --real runs/real

Writes ``skin.npy``, (N, S, S) uint8, beside the folder's ``images.npy``: how likely each pixel is skin, times 255.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.progress import track

from facerecon.faces.align import points_from_landmarks
from facerecon.faces.parsing import FaceParser
from train.command_line import command

FILE = "skin.npy"
BATCH = 256


def mark_skin(real: Path, parser: FaceParser) -> Path:
    """Writes ``skin.npy`` into a folder of ``train.landmarks.label``, whole or not at all."""
    photos, landmarks = np.load(real / "images.npy", mmap_mode="r"), np.load(real / "labels.npz")["landmarks"]
    count, side = len(landmarks), photos.shape[1]
    unfinished = real / f"{FILE}.part"
    skin = np.lib.format.open_memmap(unfinished, "w+", np.uint8, (count, side, side))
    for start in track(range(0, count, BATCH), "skin of photos"):
        part = slice(start, start + BATCH)
        masks = parser.predict(list(photos[part][: count - start]), points_from_landmarks(landmarks[part]))
        skin[part] = [mask.on(("skin",), np.eye(2, 3), side) * 255 + 0.5 for mask in masks]
    skin.flush()
    return unfinished.replace(real / FILE)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True)
    print(mark_skin(parser.parse_args().real, FaceParser.from_pretrained()))


if __name__ == "__main__":
    command(main)
