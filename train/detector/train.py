"""Trains the face detector on scenes composed on the fly.

    python -m train.detector.train --photos runs/detector/faces --crops runs/real --renders runs/synthetic \\
        --backgrounds DATA/lighting/backgrounds --output runs/detector --minutes 28
    accelerate launch -m train.detector.train ... --resume latest

Writes ``detector.pt``, the averaged weights; ``train.detector.export`` makes the shipped file of them.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from facerecon.checkpoints import load_network
from facerecon.faces.center import NAME, build
from facerecon.faces.center_network import CenterNetwork, patches_of
from facerecon.images import atomic_write
from train.command_line import command
from train.detector.config import CONFIGS, TrainConfig
from train.detector.data import SceneBatches
from train.detector.losses import Targets, detection_losses
from train.detector.scenes import Composer
from train.detector.sources import Backgrounds, FaceMixture
from train.landmarks.data import stream
from train.loop import Run, add_options, configured
from train.precision import MasterAdamW, to_bfloat16
from train.schedule import Schedule

WARMUP = 0.04  # of a run


def train(args: argparse.Namespace) -> Path:
    """Runs to the end of the schedule, from the newest checkpoint if asked, and returns ``detector.pt``."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    torch.manual_seed(args.seed)
    config = configured(CONFIGS[args.config], args)
    network = (load_network(NAME, build, args.init) if args.init else CenterNetwork(config.network)).to(accelerator.device)
    config = dataclasses.replace(config, network=network.config)
    optimizer = MasterAdamW(
        network.parameters(), config.lr, weight_decay=config.weight_decay, clip=5.0, ema=config.ema, muon=True
    )
    network = to_bfloat16(network)
    output = Path(args.output)
    schedule = Schedule.timed(config.steps, config.lr, WARMUP, args.minutes)
    run = Run(accelerator, output, schedule, {"optimizer": optimizer}, args)
    faces = FaceMixture.load(*([Path(p) for p in given] for given in (args.photos, args.crops, args.renders)))
    composer = Composer(faces, Backgrounds([Path(p) for p in args.backgrounds]), config.size)

    def losses(batch: tuple[Tensor, Targets], step: int) -> tuple[Tensor, dict[str, Tensor]]:
        pictures, targets = batch
        parts = detection_losses(network(patches_of(pictures, torch.bfloat16)), targets, config.size, config.size)
        return parts["confidence"] + config.box_weight * parts["box"] + config.point_weight * parts["points"], parts

    path = output / "detector.pt"
    batches = SceneBatches(composer, config, args.seed, accelerator.process_index)
    run.optimise(stream(batches, run.first, run.last, args.workers), losses, lambda: write(path, network, optimizer, config, run))
    accelerator.print(f"finished after {run.done} steps", flush=True)
    return path


def write(path: Path, network: CenterNetwork, optimizer: MasterAdamW, config: TrainConfig, run: Run) -> None:
    """The averaged weights in float32 with the facts of the run, aside first and then renamed."""
    weights = {name: value.cpu() for name, value in optimizer.averaged_state(network).items()}
    with atomic_write(path) as aside:
        torch.save({"weights": weights, "config": dataclasses.asdict(config), "steps": run.done, "minutes": run.seconds / 60}, aside)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", nargs="*", default=[], help="folders of train.detector.prepare")
    parser.add_argument("--crops", nargs="*", default=[], help="folders of train.landmarks.label")
    parser.add_argument("--renders", nargs="*", default=[], help="folders of train.reconstruction.prerender")
    parser.add_argument("--backgrounds", nargs="*", default=[], help="pictures without a face, or folders of them")
    parser.add_argument("--config", default="small", choices=sorted(CONFIGS))
    parser.add_argument("--output", default="runs/detector")
    parser.add_argument("--minutes", type=float, help="length of the schedule by the clock")
    parser.add_argument("--lr", type=float)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--init", help="exported weights, a file or folder, to begin a new schedule with; --lr 1e-3 suits them")
    add_options(parser, log_every=20)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command(lambda: train(parse()))
