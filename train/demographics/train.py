"""Trains the estimator of age, gender and race.

    python -m train.demographics.train --data runs/demographics_data --output runs/demographics --minutes 25

``--data`` names one or more folders of ``train.demographics.prepare``. Writes ``demographics.pt``,
the averaged weights; ``train.demographics.export`` makes the shipped file of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from facerecon.demographics.network import DemographicsNetwork
from train.checkpointing import cosine_lr, load_checkpoint, save_checkpoint
from train.command_line import command
from train.demographics.calibrate import held_out_logits, summary
from train.demographics.config import CONFIGS, TrainConfig
from train.demographics.data import Batches, Faces
from train.demographics.objective import losses
from train.landmarks.data import stream, to_unit
from train.precision import MasterAdamW, to_bfloat16
from train.progress import RunLog

SCHEDULE = 10_000  # resolution of the cosine
MIXUP_ALPHA = 0.3
STATISTICS_BATCHES, UNSEEN_STEP = 24, 10**8


class Progress:
    """How much of a run is over, by steps and by the clock, pauses between resumed parts left out."""

    def __init__(self, steps: int, minutes: float | None, spent: float) -> None:
        self.steps, self.minutes = steps, minutes
        self.began = time.monotonic() - spent

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return time.monotonic() - self.began

    def share(self, step: int) -> float:
        """In [0, 1]."""
        by_clock = self.seconds / (60 * self.minutes) if self.minutes else 0.0
        return min(max(step / self.steps, by_clock), 1.0)


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
    labels = faces.labels[index]
    if rng.random() >= mixup:
        return losses(network(crops), labels).mean()
    share = float(rng.beta(MIXUP_ALPHA, MIXUP_ALPHA))
    other = torch.from_numpy(rng.permutation(len(index)))
    logits = network(torch.lerp(crops[other], crops, share))
    return (share * losses(logits, labels) + (1 - share) * losses(logits, labels[other])).mean()


@torch.no_grad()
def averaged_network(
    network: nn.Module, optimizer: MasterAdamW, batches: Batches, config: TrainConfig
) -> tuple[nn.Module, dict[str, Tensor]]:
    """A bfloat16 network of the averaged weights, and its state in float32.

    The statistics of its normalisations are measured anew: they belong to its weights.
    """
    averaged = bfloat16_network(config)
    state = optimizer.averaged_state(network)
    averaged.load_state_dict(state)
    norms = [m for m in averaged.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    for k in range(STATISTICS_BATCHES):
        averaged(to_unit(batches[UNSEEN_STEP + k][0]))
    measured = averaged.state_dict()
    return averaged, {k: measured[k].float().clone() if "running" in k else v for k, v in state.items()}


def train(args: argparse.Namespace) -> None:
    """Runs to the end of the schedule, from the newest checkpoint if asked, and writes ``demographics.pt``."""
    torch.manual_seed(args.seed)
    config, output = CONFIGS[args.config], Path(args.output)
    given = {k: getattr(args, k) for k in ("steps", "lr", "mixup") if getattr(args, k) is not None}
    config = dataclasses.replace(config, **given)
    faces = Faces([Path(folder) for folder in args.data], limit=args.limit)
    batches = Batches(faces, config.batch, args.seed, config.power)
    network = bfloat16_network(config)
    if args.initial:
        network.load_state_dict(torch.load(args.initial, weights_only=False)["weights"])
    optimizer = make_optimizer(network, config)
    state = load_checkpoint(output, args.resume)
    first = state["step"] if state else 0
    if state:
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
    progress = Progress(config.steps, args.minutes, state["seconds"] if state else 0.0)

    def keep(step: int) -> None:
        parts = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "seconds": progress.seconds}
        save_checkpoint(output, step, parts)

    print(f"{len(faces)} faces, {sum(p.numel() for p in network.parameters()):,} parameters", flush=True)
    saved, losses_seen, done, log = progress.seconds, [], first, RunLog(output, first)
    for step, (crops, index) in enumerate(stream(batches, first, config.steps, args.workers), start=first):
        share = progress.share(step)
        if share >= 1:
            break
        rng = np.random.default_rng((args.seed, step, 1))
        torch.manual_seed(args.seed * 1_000_003 + step)  # dropout, the same after a resume
        mixup = config.mixup if share < 0.8 else 0.0
        loss = mixed_loss(network, to_unit(crops), index, faces, rng, mixup)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(cosine_lr(round(share * SCHEDULE), SCHEDULE, config.lr, warmup=SCHEDULE // 30))
        losses_seen.append(loss.item())
        done = step + 1
        if done % 50 == 0:
            rate = (done - first) * config.batch / max(progress.seconds - (state["seconds"] if state else 0.0), 1e-6)
            log.tell(done, f"{share:.1%} {rate:.0f}/s", {"loss": float(np.mean(losses_seen[-50:]))})
        if progress.seconds - saved > args.save_seconds:
            keep(done)
            saved = progress.seconds
    log.close()
    keep(done)
    averaged, weights = averaged_network(network, optimizer, batches, config)
    facts = {"config": config.network.to_dict(), "steps": done, "minutes": progress.seconds / 60, "faces": len(faces)}
    torch.save({"weights": weights, **facts}, output / "demographics.pt")
    report = {"lr": config.lr, **facts, "held_out": summary(*held_out_logits(averaged, faces))}
    (output / "report.json").write_text(json.dumps(report, indent=2))
    print(report["held_out"], flush=True)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, help="folders of train.demographics.prepare")
    parser.add_argument("--output", default="runs/demographics")
    parser.add_argument("--config", choices=list(CONFIGS), default="small")
    parser.add_argument("--minutes", type=float, help="end the schedule after so many minutes of training")
    parser.add_argument("--steps", type=int, help="end the schedule after so many updates, instead of the config's")
    parser.add_argument("--lr", type=float, help="peak learning rate, instead of the config's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, help="at most this many faces of each folder")
    parser.add_argument("--mixup", type=float, help="share of steps with mixed faces, instead of the config's")
    parser.add_argument("--initial", type=Path, help="a demographics.pt to begin from")
    parser.add_argument("--resume", help="'latest' or a checkpoint folder")
    parser.add_argument("--save-seconds", type=float, default=120)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command(lambda: train(parse()))
