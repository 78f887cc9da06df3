"""Stores the trained landmarker as it ships: convolutions in 8 bits, the config beside them.

    python -m train.landmarks.export --weights runs/landmarker/landmarks.safetensors --output weights/landmarker
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file, save_file

from facerecon.quantization import compress
from facerecon.faces.landmark_network import LandmarkerConfig, LandmarkerNetwork
from facerecon.faces.landmarker import NAME
from train.command_line import command
from train.landmarks.config import CONFIGS


def export(weights: Path, output: Path, config: LandmarkerConfig = LandmarkerConfig()) -> Path:
    """Writes ``landmarker.safetensors`` into the folder ``output``; returns its path."""
    state = load_file(weights)
    LandmarkerNetwork(config).load_state_dict(state)
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{NAME}.safetensors"
    save_file(compress(state), path, metadata={"config": json.dumps(asdict(config))})
    return path


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--config", choices=list(CONFIGS), default="small", help="that the network was trained with")
    parser.add_argument("--output", type=Path, default=Path("weights/landmarker"))
    args = parser.parse_args()
    path = export(args.weights, args.output, CONFIGS[args.config].landmarker)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    command(main)
