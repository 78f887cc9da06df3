"""Writes the landmarker as ONNX and checks that it says the same.

    python -m train.landmarks.export_onnx --output landmarker.onnx

Needs ``onnx`` and ``onnxruntime``. Input ``crops`` (n, 3, S, S) float32 in [0, 1], of the ``"head"`` template; outputs
``landmarks`` (n, 68, 2) in crop sides from the crop's centre and ``log_spread`` (n, 68).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from facerecon.faces.landmark_network import LandmarkerNetwork
from facerecon.faces.landmarker import FaceLandmarker
from facerecon.onnx_files import open_session, write_onnx
from train.command_line import command

SAME = 1e-3  # pixels of the crop


class _TwoOutputs(nn.Module):
    def __init__(self, network: LandmarkerNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        found = self.network(crops)
        return found.landmarks, found.log_spread


def export_onnx(network: LandmarkerNetwork, path: Path) -> Path:
    """One file, whole or not at all; ``network`` is in float32 on the CPU."""
    size = network.config.image_size
    axes = {name: {0: "n"} for name in ("crops", "landmarks", "log_spread")}
    names = {"input_names": ["crops"], "output_names": ["landmarks", "log_spread"], "dynamic_axes": axes}
    return write_onnx(_TwoOutputs(network), (torch.rand(2, 3, size, size),), path, **names)


def largest_difference(network: LandmarkerNetwork, path: Path, count: int = 8) -> float:
    """Pixels of the crop between a network and its ONNX file, the most over random smooth crops."""
    session = open_session(path, ["crops"], "landmarker")
    size, generator = network.config.image_size, torch.Generator().manual_seed(0)
    crops = torch.rand(count, 3, 8, 8, generator=generator)
    crops = nn.functional.interpolate(crops, size, mode="bicubic").clamp(0, 1)
    with torch.inference_mode():
        truth = network(crops).landmarks.numpy()
    return float(np.abs(session.run(None, {"crops": crops.numpy()})[0] - truth).max()) * size


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="a file or folder; the shipped one by default")
    args = parser.parse_args()
    network = FaceLandmarker.from_pretrained("cpu", args.weights).network.float()
    export_onnx(network, args.output)
    difference = largest_difference(network, args.output)
    print(json.dumps({"largest_difference_px": round(difference, 6), "megabytes": round(args.output.stat().st_size / 1e6, 2)}))
    if difference > SAME:
        raise SystemExit("The ONNX file differs from the network.")


if __name__ == "__main__":
    command(main)
