"""Finds by how much a trained detail network is too shallow, and writes its weights with that gain.

    python -m train.detail.calibrate --data runs/detail/faces --weights runs/detail/run/detail.safetensors

Where shading leaves it unsure, the network answers with the mean, flatter than what is there. The gain is the one
with which the relief leaves least of the brightness of held-out photos unexplained.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from facerecon.checkpoints import load_network
from facerecon.reconstruction.detail_network import DetailConfig, DetailNetwork
from train.command_line import command
from train.detail.data import Unwrapped
from train.detail.objective import see_photo, unexplained

GAINS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5)
SLACK = 1.003
"""Of gains that are as good to this factor the least is taken: what is not needed is not carved."""


@torch.inference_mode()
def best_gain(network: DetailNetwork, faces: Unwrapped, rows: np.ndarray) -> tuple[float, dict[float, float]]:
    """The gain, and for each gain the root mean square of the log of brightness that is left."""
    plain, sums = network.config, {gain: [] for gain in GAINS}
    for start in range(0, len(rows), 4):
        batch = faces.take(rows[start : start + 4])
        seen = see_photo(batch)
        for gain in GAINS:
            network.config = replace(plain, gain=gain)
            rest, weight = unexplained(network(seen).float(), batch)
            sums[gain].append(float((rest.square() * weight).sum() / weight.sum()))
    network.config = plain
    left = {gain: float(np.sqrt(np.mean(values))) for gain, values in sums.items()}
    return min(gain for gain, value in left.items() if value <= SLACK * min(left.values())), left


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of train.detail.prepare")
    parser.add_argument("--weights", type=Path, required=True, help="what train.detail.train wrote")
    parser.add_argument("--output", type=Path, default=Path("weights/detail/detail.safetensors"))
    args = parser.parse_args()
    network = load_network("detail", lambda values: DetailNetwork(DetailConfig(**{**values, "gain": 1.0})), args.weights).eval()
    faces = Unwrapped.read(args.data)
    gain, left = best_gain(network, faces, faces.groups()["held_lined"])
    with safe_open(str(args.weights), "pt") as handle:
        metadata = handle.metadata()
    metadata["config"] = json.dumps({**network.config.to_dict(), "gain": gain})
    args.output.parent.mkdir(parents=True, exist_ok=True)
    save_file(load_file(args.weights), args.output, metadata)
    print(json.dumps({"gain": gain, "left": left}))


if __name__ == "__main__":
    command(main)
