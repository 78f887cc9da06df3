"""Writes the shipped face detector as ONNX, checks that it is the same, and compares its speed with torch.

    python -m train.detector.export_onnx --output detector.onnx

Needs ``onnx`` and ``onnxruntime``; what goes in and comes out says ``facerecon.faces.center_onnx.export_onnx``,
whose file ``OnnxCenterDetector`` runs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from facerecon.checkpoints import load_network
from facerecon.faces.center import NAME, CenterDetector, build
from facerecon.faces.center_onnx import OnnxCenterDetector, export_onnx, largest_difference
from train.command_line import command
from train.timing import milliseconds

SAME = 1e-2  # of a cell's numbers: logits, and lengths in strides
SHAPE = (480, 640, 3)  # of the photo that is timed


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="a file or folder; the shipped one by default")
    args = parser.parse_args()
    network = load_network(NAME, build, args.weights)
    export_onnx(network, args.output)
    torchs = CenterDetector.from_pretrained(device="cpu", path=args.weights)
    photo = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)
    onnx = OnnxCenterDetector(args.output)
    figures = {
        "largest_difference": round(largest_difference(network, args.output), 6),
        "megabytes": round(args.output.stat().st_size / 1e6, 2),
        "torch_ms": round(milliseconds(lambda: torchs.forward([photo], *SHAPE[:2])), 1),
        "torch_dtype": str(torchs.dtype),
        "onnxruntime_ms": round(milliseconds(lambda: onnx.forward([photo], *SHAPE[:2])), 1),
    }
    print(json.dumps(figures, indent=1))
    if figures["largest_difference"] > SAME:
        raise SystemExit("The ONNX file differs from the network.")


if __name__ == "__main__":
    command(main)
