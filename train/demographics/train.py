"""Trains the estimator of age, gender and race.

    python -m train.demographics.train --data runs/demographics_data --output runs/demographics --minutes 25
    accelerate launch -m train.demographics.train --data runs/demographics_data --resume latest

``--data`` names one or more folders of ``train.demographics.prepare``. Writes ``demographics.pt``,
the averaged weights; ``train.demographics.export`` makes the shipped file of them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from facerecon.demographics.network import DemographicsNetwork
from facerecon.images import atomic_write
from train.command_line import command
from train.demographics.calibrate import held_out_logits, summary
from train.demographics.config import CONFIGS, TrainConfig
from train.demographics.data import Batches, Faces
from train.demographics.objective import losses
from train.landmarks.data import stream, to_unit
from train.loop import Run, add_options, configured
from train.precision import MasterAdamW, to_bfloat16
from train.schedule import Schedule

WARMUP, UNMIXED_FROM = 1 / 30, 0.8  # of a run
MIXUP_ALPHA = 0.3
STATISTICS_BATCHES, UNSEEN_STEP = 24, 10**8


def bfloat16_network(config: TrainConfig) -> DemographicsNetwork:
    """A new network whose convolutions are bfloat16 and whose normalisations stay float32."""
    network = to_bfloat16(DemographicsNetwork(config.network))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.float()
    return network.train()


def make_optimizer(network: nn.Module, config: TrainConfig) -> MasterAdamW:
    """Muon for convolutions and matrices, AdamW for the rest."""
    return MasterAdamW(
        network.parameters(), config.lr, weight_decay=config.weight_decay, clip=5.0, ema=config.ema, muon=True
    )


def mixed_loss(network: nn.Module, crops: Tensor, index: Tensor, faces: Faces, rng: np.random.Generator, mixup: float) -> Tensor:
    """Mean loss of a batch, mixed with itself in a share ``mixup`` of the steps."""
    labels = faces.labels[index.cpu()].to(crops.device)
    if rng.random() >= mixup:
        return losses(network(crops), labels).mean()
    share = float(rng.beta(MIXUP_ALPHA, MIXUP_ALPHA))
    other = torch.from_numpy(rng.permutation(len(index))).to(crops.device)
    logits = network(torch.lerp(crops[other], crops, share))
    return (share * losses(logits, labels) + (1 - share) * losses(logits, labels[other])).mean()


@torch.no_grad()
def averaged_network(
    network: nn.Module, optimizer: MasterAdamW, batches: Batches, config: TrainConfig
) -> tuple[nn.Module, dict[str, Tensor]]:
    """A bfloat16 network of the averaged weights, and its state in float32.

    The statistics of its normalisations are measured anew: they belong to its weights.
    """
    averaged = bfloat16_network(config).to(network.pool.device)
    state = optimizer.averaged_state(network)
    averaged.load_state_dict(state)
    norms = [m for m in averaged.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    for k in range(STATISTICS_BATCHES):
        averaged(to_unit(batches[UNSEEN_STEP + k][0].to(network.pool.device)))
    measured = averaged.state_dict()
    return averaged, {k: (measured[k].float().clone() if "running" in k else v).cpu() for k, v in state.items()}


def train(args: argparse.Namespace) -> None:
    """Runs to the end of the schedule, from the newest checkpoint if asked, and writes ``demographics.pt``."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    torch.manual_seed(args.seed)
    config, output = configured(CONFIGS[args.config], args), Path(args.output)
    faces = Faces([Path(folder) for folder in args.data], limit=args.limit)
    batches = Batches(faces, config.batch, args.seed, config.power)
    network = bfloat16_network(config)
    if args.initial:
        network.load_state_dict(torch.load(args.initial, weights_only=False)["weights"])
    network = network.to(accelerator.device)
    optimizer = make_optimizer(network, config)
    schedule = Schedule.timed(config.steps, config.lr, WARMUP, args.minutes)
    run = Run(accelerator, output, schedule, {"network": network, "optimizer": optimizer}, args)
    accelerator.print(f"{len(faces)} faces, {sum(p.numel() for p in network.parameters()):,} parameters", flush=True)
    rank, ranks = run.place

    def loss_of(batch: tuple[Tensor, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        crops, index = batch
        number = step * ranks + rank
        rng = np.random.default_rng((args.seed, number, 1))
        torch.manual_seed(args.seed * 1_000_003 + number)  # dropout, the same after a resume
        mixup = config.mixup if run.over < UNMIXED_FROM else 0.0
        loss = mixed_loss(network, to_unit(crops), index, faces, rng, mixup)
        return loss, {"loss": loss.item()}

    run.optimise(stream(batches, run.first, run.last, args.workers, run.place), loss_of)
    if accelerator.is_main_process:
        write(output, run, network, optimizer, batches, config)
    accelerator.wait_for_everyone()


def write(output: Path, run: Run, network: nn.Module, optimizer: MasterAdamW, batches: Batches, config: TrainConfig) -> None:
    """``demographics.pt``, and ``report.json`` about the faces that were held out."""
    averaged, weights = averaged_network(network, optimizer, batches, config)
    facts = {"config": config.network.to_dict(), "steps": run.done, "minutes": run.seconds / 60, "faces": len(batches.faces)}
    with atomic_write(output / "demographics.pt") as aside:
        torch.save({"weights": weights, **facts}, aside)
    report = {"lr": config.lr, **facts, "held_out": summary(*held_out_logits(averaged, batches.faces))}
    (output / "report.json").write_text(json.dumps(report, indent=2))
    print(report["held_out"], flush=True)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, help="folders of train.demographics.prepare")
    parser.add_argument("--output", default="runs/demographics")
    parser.add_argument("--config", choices=list(CONFIGS), default="small")
    parser.add_argument("--minutes", type=float, help="end the schedule after so many minutes of training")
    parser.add_argument("--lr", type=float, help="peak learning rate, instead of the config's")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, help="at most this many faces of each folder")
    parser.add_argument("--mixup", type=float, help="share of steps with mixed faces, instead of the config's")
    parser.add_argument("--initial", type=Path, help="a demographics.pt to begin from")
    add_options(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command(lambda: train(parse()))
