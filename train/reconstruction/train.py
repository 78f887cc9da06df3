"""Trains the head encoder.

    python -m train.reconstruction.train --synthetic runs/synthetic --real runs/real --config small
    accelerate launch -m train.reconstruction.train --synthetic runs/synthetic --real runs/real --resume latest
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import Tensor

from facerecon.quantization import expand
from facerecon.head import HeadModel
from facerecon.reconstruction.encoder import HeadEncoder
from train.checkpointing import save_weights
from train.command_line import command
from train.landmarks.data import stream, to_unit
from train.loop import Run, add_options, add_weights, reweighted
from train.precision import MasterAdamW, to_bfloat16
from train.reconstruction.config import CONFIGS, TrainConfig
from train.reconstruction.data import ReconstructionBatches
from train.reconstruction.objective import Objective
from train.schedule import Schedule


def start_trunk(encoder: HeadEncoder, weights: Path) -> None:
    """Begins with the trunk of a landmark network of the same size."""
    found = {k.removeprefix("trunk."): v for k, v in load_file(weights).items() if k.startswith("trunk.")}
    encoder.trunk.load_state_dict(found)


def start_from(encoder: HeadEncoder, weights: Path) -> None:
    """Begins with the weights of an earlier run; feedback that it did without begins by changing nothing.

    Raises:
        RuntimeError: the networks differ elsewhere.
    """
    missing, unknown = encoder.load_state_dict(expand(load_file(weights)), strict=False)
    if unknown or any(not name.startswith("feedback.") for name in missing):
        raise RuntimeError(f"{weights} belongs to another network: missing {missing}, unknown {unknown}.")


def train(args: argparse.Namespace) -> Path:
    """Runs the schedule, from a checkpoint if asked, and returns the averaged weights' file."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    config: TrainConfig = CONFIGS[args.config]
    given = {name: value for name in ("steps", "lr", "ema") if (value := getattr(args, name)) is not None}
    config = replace(config, **given, weights=reweighted(config.weights, args))
    torch.manual_seed(args.seed)
    head = HeadModel.from_pretrained(args.head)
    encoder = HeadEncoder(config.encoder, head)
    if args.trunk:
        start_trunk(encoder, Path(args.trunk))
    if args.init:
        start_from(encoder, Path(args.init))
    encoder = to_bfloat16(encoder).to(accelerator.device)
    optimizer = MasterAdamW(encoder.parameters(), config.lr, weight_decay=config.weight_decay, ema=config.ema, muon=config.muon)
    output = Path(args.output)
    run = Run(accelerator, output, Schedule.stepped(config.steps, config.lr), {"optimizer": optimizer}, args)
    rank, ranks = accelerator.process_index, accelerator.num_processes
    dataset = ReconstructionBatches(args.synthetic, Path(args.real), config, args.seed, rank, ranks, args.profiles)
    objective = Objective(head.to(accelerator.device), config.weights, encoder.anchors)

    def losses(batch: dict, step: int) -> tuple[Tensor, dict[str, float]]:
        return objective(encoder(to_unit(batch["crops"])), batch)

    batches = stream(dataset, run.first, run.last, args.workers)
    run.optimise(batches, losses)
    if accelerator.is_main_process:
        save_weights(output / "reconstruction.safetensors", encoder, optimizer, config.encoder.to_dict(), asdict(config))
    accelerator.wait_for_everyone()
    return output / "reconstruction.safetensors"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--synthetic", required=True, nargs="+", type=Path, help="folders of rendered faces")
    parser.add_argument("--real", required=True, help="folder of photos with landmarks")
    parser.add_argument("--profiles", type=Path, help="what train.landmarks.profiles wrote")
    parser.add_argument("--config", choices=list(CONFIGS), default="small")
    parser.add_argument("--output", default="runs/reconstruction")
    parser.add_argument("--head", help="head model, instead of the shipped one")
    parser.add_argument("--trunk", help="landmark network whose trunk to begin with")
    parser.add_argument("--init", help="weights of an earlier run to begin with")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--lr", type=float, help="peak learning rate, instead of the config's")
    parser.add_argument("--ema", type=float, help="decay of the averaged weights, instead of the config's; a short run wants less")
    add_weights(parser)
    add_options(parser, log_every=20)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command(lambda: train(parse()))
