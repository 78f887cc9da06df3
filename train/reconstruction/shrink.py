"""Stores an encoder's trunk and feedback, or the whole metric shape, in 6 bits instead of 8.

    python -m train.reconstruction.shrink --weights runs/reconstruction/reconstruction.safetensors --output weights/reconstruction
    python -m train.reconstruction.shrink --weights runs/shape/run/shape.safetensors --output weights/shape

The version of the file before stays in the metadata, so that a metric shape trained on it is still used.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from facerecon.checkpoints import checkpoint_version
from facerecon.quantization import compress, expand
from facerecon.reconstruction.metric_shape import ROUNDED_FROM
from train.command_line import command

COARSE = {"reconstruction": ("trunk.", "feedback."), "shape": ("",)}
"""By file, beginnings of the names whose convolutions and matrices get 6 bits."""


def shrink(weights: Path, output: Path) -> Path:
    """Writes a file of the same name into a folder and returns its place.

    Raises:
        SystemExit: a file of another name than those in ``COARSE``.
    """
    if weights.stem not in COARSE:
        raise SystemExit(f"{weights.name} is not stored in 6 bits; {' and '.join(COARSE)} are.")
    with safe_open(str(weights), "pt") as handle:
        metadata = handle.metadata() or {}
    metadata.setdefault(ROUNDED_FROM, checkpoint_version(weights))
    stored = compress(expand(load_file(weights)), COARSE[weights.stem])
    output.mkdir(parents=True, exist_ok=True)
    save_file(stored, output / weights.name, metadata)
    return output / weights.name


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder")
    args = parser.parse_args()
    print(shrink(args.weights, args.output))


if __name__ == "__main__":
    command(main)
