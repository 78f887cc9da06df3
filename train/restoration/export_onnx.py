"""Writes the shipped restoration network as ONNX, checks that it is the same, and compares its speed with torch.

    python -m train.restoration.export_onnx --output restoration.onnx
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from facerecon.restoration import CodeFormer, FaceRestorer
from facerecon.restoration.onnx import OnnxFaceRestorer, export_onnx, largest_difference
from train.command_line import command
from train.timing import milliseconds

SAME = 0.5  # grey levels


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="a safetensors file; the shipped one by default")
    args = parser.parse_args()
    restorer = FaceRestorer.from_pretrained("cpu", args.weights)
    export_onnx(restorer.network, args.output)
    precise = CodeFormer(restorer.network.config).eval()
    precise.load_state_dict({key: value.float() for key, value in restorer.network.state_dict().items()})
    crop = np.random.default_rng(0).integers(0, 256, (restorer.size, restorer.size, 3), dtype=np.uint8)
    onnx = OnnxFaceRestorer(args.output)
    figures = {
        "largest_difference_grey_levels": round(largest_difference(precise, args.output), 4),
        "torch_ms": round(milliseconds(lambda: restorer.restore([crop], 0.7)), 1),
        "torch_dtype": str(next(restorer.network.parameters()).dtype),
        "onnxruntime_ms": round(milliseconds(lambda: onnx.restore([crop], 0.7)), 1),
    }
    print(json.dumps(figures, indent=1))
    if figures["largest_difference_grey_levels"] > SAME:
        raise SystemExit("The ONNX file differs from the network.")


if __name__ == "__main__":
    command(main)
