"""Writes the shipped checkpoints: ``restoration`` from ``guidance`` and ``cleaner``, ``colour`` and ``texture`` from their own.

    python -m train.restoration.export --weights runs/restoration/small-weights --config small
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from facerecon.quantization import compress
from facerecon.restoration import CONFIGS, CodeFormer, RestorationConfig
from facerecon.restoration.colouring import COLOUR_CONFIGS, ColourConfig, ColourNetwork
from facerecon.restoration.texture import TEXTURE_CONFIGS, TextureConfig, TextureNetwork
from train.command_line import command
from train.restoration.train import learned

# What generates needs its weights less exactly than what has to leave a good photo alone.
GENERATING = ("encoder.", "decoder.", "transforms.", "transformer.")
TRAINING_ONLY = ("codebook.sums", "codebook.usage")


def export(weights: Path, config_name: str, output: Path) -> list[Path]:
    """Compressed checkpoints whose metadata holds the config; strict, so that a wrong config fails here.

    Args:
        weights: folder that the stages wrote to; ``guidance``, ``colour`` and ``texture`` may be missing.
        output: folder that gets a folder for each.

    Raises:
        FaceReconError: a stage that must not be missing is.
    """
    network = CodeFormer(CONFIGS[config_name])
    guided = weights / "guidance.safetensors"
    codes = learned(weights, "guidance" if guided.is_file() else "fidelity")
    network.load_state_dict({**network.state_dict(), **codes})
    network.cleaner.load_state_dict(learned(weights, "cleaner"))
    # The running statistics of the codebook serve training alone: zeros compress to nothing in the repository.
    state = {k: torch.zeros_like(v) if k in TRAINING_ONLY else v for k, v in network.state_dict().items()}
    written = [_write(compress(state, in_six_bits(network.config)), network.config, output / "restoration" / "restoration.safetensors")]
    every = ("",)
    alone = {"colour": (ColourNetwork, COLOUR_CONFIGS, every), "texture": (TextureNetwork, TEXTURE_CONFIGS, ())}
    for name, (build, configs, coarse) in alone.items():
        if (weights / f"{name}.safetensors").is_file():
            other = build(configs[config_name])
            other.load_state_dict(load_file(weights / f"{name}.safetensors"))
            written.append(_write(compress(other.state_dict(), coarse), other.config, output / name / f"{name}.safetensors"))
    return written


def in_six_bits(config: RestorationConfig) -> tuple[str, ...]:
    """Beginnings of the names whose weights are stored in 6 bits instead of 8: of the cleaners those of the coarsest level alone.

    The levels about it add to the picture at once: with 6 bits the coarse cleaner lost 0.4 dB at heavy damage and 2.8 at light.
    """
    return (*GENERATING, f"cleaner.enter.{len(config.cleaner_channels) - 1}.", f"cleaner.coarse.enter.{len(config.coarse_channels) - 1}.")


def _write(stored: dict[str, Tensor], config: RestorationConfig | ColourConfig | TextureConfig, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(stored, path, {"config": json.dumps(config.to_dict()), "format": "pt"})
    return path


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="folder that the stages wrote to")
    parser.add_argument("--config", choices=list(CONFIGS), default="small")
    parser.add_argument("--output", type=Path, default=Path("weights"), help="folder of all checkpoints")
    args = parser.parse_args()
    for path in export(args.weights, args.config, args.output):
        print(path)


if __name__ == "__main__":
    command(main)
