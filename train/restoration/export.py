"""Writes the shipped checkpoint from the weights of the last stage.

    python -m train.restoration.export --weights runs/restoration/small-weights/fidelity.safetensors --config small
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from facerecon.checkpoints import compress, expand
from facerecon.restoration import CONFIGS, CodeFormer

TRAINING_ONLY = ("codebook.sums", "codebook.usage")


def export(weights: Path, config_name: str, output: Path) -> Path:
    """A compressed checkpoint whose metadata holds the config; strict, so that a wrong config fails here."""
    network = CodeFormer(CONFIGS[config_name])
    network.load_state_dict(expand(load_file(weights)))
    # The running statistics of the codebook serve training alone: zeros compress to nothing in the repository.
    state = {k: torch.zeros_like(v) if k in TRAINING_ONLY else v for k, v in network.state_dict().items()}
    output.parent.mkdir(parents=True, exist_ok=True)
    save_file(compress(state), output, {"config": json.dumps(network.config.to_dict()), "format": "pt"})
    return output


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--config", choices=list(CONFIGS), default="small")
    parser.add_argument("--output", type=Path, default=Path("weights/restoration/restoration.safetensors"))
    args = parser.parse_args()
    print(export(args.weights, args.config, args.output))


if __name__ == "__main__":
    main()
