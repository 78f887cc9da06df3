"""Trains the parser: on rendered people with the landmarks of photos beside them, then on labels of its own.

    python -m train.parsing.train --renders runs/parsing_renders --photos runs/parsing_photos --minutes 11 --output runs/parsing
    python -m train.parsing.train ... --labels runs/parsing_labels --start runs/parsing --output runs/parsing_refined
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path

import torch

from facerecon.checkpoints import load_network
from facerecon.faces.parsing import NAME
from facerecon.faces.parsing_network import ParserConfig, ParserNetwork
from train.checkpointing import cosine_lr, load_checkpoint, save_checkpoint, save_weights
from train.command_line import command
from train.landmarks.data import stream, to_unit
from train.parsing.data import ParsingBatches, read_photos, read_renders
from train.parsing.objective import partial_cross_entropy
from train.precision import MasterAdamW, to_bfloat16
from train.progress import RunLog

SCHEDULE = 100_000  # parts the schedule is counted in, when the clock ends it
LANDMARKS_WEIGHT, LABELS_WEIGHT = 0.5, 1.0


def batches(args: argparse.Namespace, size: int) -> ParsingBatches:
    """The run's batches from the folders that were named."""
    sources, counts = [read_renders(args.renders)], [args.batch - args.real]
    weights = [1.0, LABELS_WEIGHT if args.labels else LANDMARKS_WEIGHT]
    if args.real:
        sources.append(read_photos(args.photos, labels=args.labels))
        counts.append(args.real)
    return ParsingBatches(sources, counts, weights[: len(sources)], size, args.seed)


def build(args: argparse.Namespace) -> ParserNetwork:
    """A new network, or the one of an earlier run."""
    torch.manual_seed(args.seed)
    if args.start:
        return load_network(NAME, lambda config: ParserNetwork(ParserConfig(**config)), args.start)
    return ParserNetwork(ParserConfig())


def train(args: argparse.Namespace) -> Path:
    """Runs to the end of the schedule, from the newest checkpoint if asked; returns the weights' file."""
    network = build(args)
    config, output = network.config, Path(args.output)
    to_bfloat16(network)
    outer = [network.stem.weight, network.to_pixels.weight]
    optimizer = MasterAdamW(network.parameters(), args.lr, weight_decay=0.01, ema=args.ema, muon=True, outer=outer)
    state = load_checkpoint(output, args.resume)
    first, spent = (state["step"], state["spent"]) if state else (0, 0.0)
    if state:
        optimizer.load_state_dict(state["optimizer"])
    began = saved = time.monotonic()
    done, log = first, RunLog(output, first)
    for step, (crops, allowed, weight) in enumerate(stream(batches(args, config.image_size), first, args.steps, args.workers), start=first):
        passed = spent + time.monotonic() - began
        progress = max(step / args.steps, passed / (60 * args.minutes)) if args.minutes else step / args.steps
        if progress >= 1:
            break
        loss, parts = partial_cross_entropy(network(to_unit(crops)), allowed, weight)
        optimizer.zero_grad()
        loss.backward()
        warm = min(1.0, (step + 1) / args.warmup)
        optimizer.step(warm * cosine_lr(round(progress * SCHEDULE), SCHEDULE, args.lr, warmup=0))
        done = step + 1
        if step % 20 == 0:
            rate = (done - first) * args.batch / (time.monotonic() - began)
            values = {name: float(value.detach()) for name, value in {"loss": loss, **parts}.items()}
            log.tell(step, f"{progress:.1%} {rate:.0f}/s", values)
        if time.monotonic() - saved > args.save_seconds:
            save_checkpoint(output, done, {"optimizer": optimizer.state_dict(), "spent": spent + time.monotonic() - began})
            saved = time.monotonic()
    log.close()
    spent += time.monotonic() - began
    save_checkpoint(output, done, {"optimizer": optimizer.state_dict(), "spent": spent})
    path = output / f"{NAME}.safetensors"
    save_weights(path, network, optimizer, asdict(config), {"steps": done, "seconds": round(spent), "batch": args.batch})
    return path


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renders", type=Path, required=True, help="what train.parsing.prerender wrote")
    parser.add_argument("--photos", type=Path, help="what train.parsing.prepare wrote")
    parser.add_argument("--labels", type=Path, help="what train.parsing.label wrote of them")
    parser.add_argument("--output", default="runs/parsing")
    parser.add_argument("--start", type=Path, help="folder of the run to begin with")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, help="end of the schedule by the clock, if it comes before the steps'")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--real", type=int, default=16, help="photos of a batch")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--warmup", type=int, default=50, help="steps")
    parser.add_argument("--ema", type=float, default=0.995, help="decay of the averaged weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--resume", help="'latest' or a checkpoint folder")
    parser.add_argument("--save-seconds", type=float, default=120)
    return parser.parse_args(argv)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(command(lambda: train(parse())))
