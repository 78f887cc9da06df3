"""Trains the mapping network from what people look like to the shape of their heads.

    python -m train.shape.train --data runs/shape --config small
    accelerate launch -m train.shape.train --data runs/shape --resume latest
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from facerecon.head import HeadModel
from facerecon.quantization import expand
from facerecon.reconstruction.metric_shape import MetricShape
from train.checkpointing import save_weights
from train.command_line import command
from train.loop import Run, add_options, add_weights, reweighted
from train.precision import MasterAdamW
from train.schedule import Schedule
from train.shape.config import CONFIGS, TrainConfig
from train.shape.data import ShapeBatches
from train.shape.objective import Objective


def train(args: argparse.Namespace) -> Path:
    """Runs the schedule, from a checkpoint if asked, and returns the averaged weights' file."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    config = configured(args)
    dataset = ShapeBatches(Path(args.data), config, args.seed, accelerator.process_index, accelerator.num_processes)
    embedding, features = dataset.sizes
    network_config = replace(config.network, embedding=0 if args.without == "embedding" else embedding,
                             features=0 if args.without == "features" else features, encoder=dataset.encoder)  # fmt: skip
    torch.manual_seed(args.seed)
    network = MetricShape(network_config)
    if args.init:
        network.load_state_dict(expand(load_file(args.init)))
    network = network.to(accelerator.device)
    optimizer = MasterAdamW(network.parameters(), config.lr, weight_decay=config.weight_decay, ema=config.ema, muon=config.muon)
    output = Path(args.output)
    run = Run(accelerator, output, Schedule.stepped(config.steps, config.lr), {"optimizer": optimizer}, args)
    objective = Objective(HeadModel.from_pretrained(args.head).to(accelerator.device), config.weights)
    batches = (dataset[step] for step in range(run.first, run.last))
    run.optimise(batches, lambda batch, step: objective(network, batch))
    if accelerator.is_main_process:
        save_weights(output / "shape.safetensors", network, optimizer, network.config.to_dict(), asdict(config))
    accelerator.wait_for_everyone()
    return output / "shape.safetensors"


def configured(args: argparse.Namespace) -> TrainConfig:
    """The named config with what the command line changes."""
    config = CONFIGS[args.config]
    given = {name: value for name in ("steps", "lr") if (value := getattr(args, name)) is not None}
    return replace(config, **given, weights=reweighted(config.weights, args))


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of train.shape.prepare")
    parser.add_argument("--config", choices=list(CONFIGS), default="small")
    parser.add_argument("--output", default="runs/shape/run")
    parser.add_argument("--head", help="head model, instead of the shipped one")
    parser.add_argument("--init", help="weights of an earlier run to begin with")
    parser.add_argument("--without", choices=("embedding", "features"), help="leave one of the two inputs out")
    add_weights(parser)
    parser.add_argument("--lr", type=float, help="peak learning rate, instead of the config's")
    add_options(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command(lambda: train(parse()))
