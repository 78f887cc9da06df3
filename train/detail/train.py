"""Trains the detail network: shading to displacement.

    python -m train.detail.train --data runs/detail/faces --config small
    accelerate launch -m train.detail.train --data runs/detail/faces --resume latest
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from facerecon.reconstruction.detail_network import DetailNetwork
from train.checkpointing import save_weights
from train.command_line import command
from train.detail.config import CONFIGS
from train.detail.data import DetailBatches
from train.detail.objective import Objective
from train.loop import Run, add_options
from train.precision import MasterAdamW, to_bfloat16
from train.schedule import Schedule


def train(args: argparse.Namespace) -> Path:
    """Runs the schedule, from a checkpoint if asked, and returns the averaged weights' file."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    config = CONFIGS[args.config]
    config = replace(config, **{name: value for name in ("steps", "lr") if (value := getattr(args, name)) is not None})
    batches = DetailBatches(Path(args.data), config, args.seed, accelerator.process_index, accelerator.num_processes)
    torch.manual_seed(args.seed)
    network = to_bfloat16(DetailNetwork(config.network)).to(accelerator.device)
    doors = [network.unet.stem.weight, network.unet.to_pixels.weight]
    optimizer = MasterAdamW(network.parameters(), config.lr, weight_decay=0.01, ema=config.ema, muon=True, outer=doors)
    output = Path(args.output)
    run = Run(accelerator, output, Schedule.stepped(config.steps, config.lr), {"optimizer": optimizer}, args)
    objective = Objective(config.weights, args.seed)
    rank, ranks = accelerator.process_index, accelerator.num_processes

    def losses(batch: dict, step: int) -> tuple[Tensor, dict[str, float]]:
        return objective(network, batch, step * ranks + rank)

    parts = (batches[step] for step in range(run.first, run.last))
    run.optimise(parts, losses)
    if accelerator.is_main_process:
        save_weights(output / "detail.safetensors", network, optimizer, network.config.to_dict(), asdict(config))
    accelerator.wait_for_everyone()
    return output / "detail.safetensors"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of train.detail.prepare")
    parser.add_argument("--config", choices=list(CONFIGS), default="small")
    parser.add_argument("--output", default="runs/detail/run")
    parser.add_argument("--lr", type=float, help="peak learning rate, instead of the config's")
    add_options(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command(lambda: train(parse()))
