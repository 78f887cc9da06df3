"""Trains the parser: on rendered people with the landmarks of photos beside them, then on labels of its own.

    python -m train.parsing.train --renders runs/parsing_renders --photos runs/parsing_photos --minutes 11 --output runs/parsing
    accelerate launch -m train.parsing.train ... --output runs/parsing --resume latest
    python -m train.parsing.train ... --labels runs/parsing_labels --start runs/parsing --output runs/parsing_refined
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from facerecon.checkpoints import load_network
from facerecon.faces.parsing import NAME
from facerecon.faces.parsing_network import ParserConfig, ParserNetwork
from train.checkpointing import save_weights
from train.command_line import command
from train.landmarks.data import stream, to_unit
from train.loop import Run, add_options, configured
from train.parsing.config import CONFIGS, TrainConfig
from train.parsing.data import ParsingBatches, read_photos, read_renders
from train.parsing.objective import partial_cross_entropy
from train.precision import MasterAdamW, to_bfloat16
from train.schedule import Schedule

LANDMARKS_WEIGHT, LABELS_WEIGHT = 0.5, 1.0


def batches(args: argparse.Namespace, config: TrainConfig) -> ParsingBatches:
    """The run's batches from the folders that were named."""
    sources, counts = [read_renders(args.renders)], [config.batch - config.real]
    weights = [1.0, LABELS_WEIGHT if args.labels else LANDMARKS_WEIGHT]
    if config.real:
        sources.append(read_photos(args.photos, labels=args.labels))
        counts.append(config.real)
    return ParsingBatches(sources, counts, weights[: len(sources)], config.network.image_size, args.seed)


def build(args: argparse.Namespace, config: ParserConfig) -> ParserNetwork:
    """A new network, or the one of an earlier run."""
    torch.manual_seed(args.seed)
    if args.start:
        return load_network(NAME, lambda values: ParserNetwork(ParserConfig(**values)), args.start)
    return ParserNetwork(config)


def train(args: argparse.Namespace) -> Path:
    """Runs to the end of the schedule, from the newest checkpoint if asked; returns the weights' file."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    config, path = configured(CONFIGS[args.config], args), Path(args.output) / f"{NAME}.safetensors"
    network = to_bfloat16(build(args, config.network)).to(accelerator.device)
    config = replace(config, network=network.config)
    outer = [network.stem.weight, network.to_pixels.weight]
    optimizer = MasterAdamW(network.parameters(), config.lr, weight_decay=0.01, ema=config.ema, muon=True, outer=outer)
    schedule = Schedule.warmed(config.steps, config.lr, config.warmup, args.minutes)
    run = Run(accelerator, path.parent, schedule, {"optimizer": optimizer}, args)

    def losses(batch: tuple[Tensor, Tensor, Tensor], step: int) -> tuple[Tensor, dict[str, Tensor]]:
        crops, allowed, weight = batch
        return partial_cross_entropy(network(to_unit(crops)), allowed, weight)

    def write() -> None:
        facts = {"steps": run.done, "seconds": round(run.seconds), "batch": config.batch}
        save_weights(path, network, optimizer, asdict(config.network), facts)

    run.optimise(stream(batches(args, config), run.first, run.last, args.workers, run.place), losses, write)
    accelerator.print(path)
    return path


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renders", type=Path, required=True, help="what train.parsing.prerender wrote")
    parser.add_argument("--photos", type=Path, help="what train.parsing.prepare wrote")
    parser.add_argument("--labels", type=Path, help="what train.parsing.label wrote of them")
    parser.add_argument("--output", default="runs/parsing")
    parser.add_argument("--start", type=Path, help="folder of the run to begin with")
    parser.add_argument("--config", choices=list(CONFIGS), default="small")
    parser.add_argument("--minutes", type=float, help="end of the schedule by the clock, if it comes before the steps'")
    parser.add_argument("--batch", type=int, help="crops a step of one process, instead of the config's")
    parser.add_argument("--real", type=int, help="photos among them, instead of the config's")
    parser.add_argument("--lr", type=float, help="peak learning rate, instead of the config's")
    parser.add_argument("--warmup", type=int, help="steps, instead of the config's")
    parser.add_argument("--ema", type=float, help="decay of the averaged weights, instead of the config's")
    parser.add_argument("--workers", type=int, default=1)
    add_options(parser, log_every=20)
    return parser.parse_args(argv)


if __name__ == "__main__":
    torch.set_num_threads(1)
    command(lambda: train(parse()))
