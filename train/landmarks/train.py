"""Trains the landmark labeller.

    python -m train.landmarks.train --data DATA/faces/YTF --output runs/landmarks
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from train.checkpointing import cosine_lr, load_checkpoint, save_checkpoint
from train.landmarks.data import LandmarkBatches, stream, to_unit
from train.landmarks.network import LandmarkNetwork
from train.precision import MasterAdamW, to_bfloat16

HUBER_BETA = 0.01  # of the crop's side: beyond it an error counts linearly


def train(args: argparse.Namespace) -> None:
    """Runs to the end of the schedule, from the newest checkpoint if asked, and writes ``landmarks.safetensors``."""
    torch.manual_seed(args.seed)
    output = Path(args.output)
    network = to_bfloat16(LandmarkNetwork())
    optimizer = MasterAdamW(network.parameters(), args.lr, weight_decay=0.01, ema=0.998)
    state = load_checkpoint(output, args.resume)
    first = state["step"] if state else 0
    if state:
        optimizer.load_state_dict(state["optimizer"])
    dataset = LandmarkBatches(Path(args.data), network.trunk.config.image_size, args.batch, args.seed, args.limit)
    began = saved = time.monotonic()
    for step, (crops, truth) in enumerate(stream(dataset, first, args.steps, args.workers), start=first):
        loss = F.smooth_l1_loss(network(to_unit(crops)), truth, beta=HUBER_BETA)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(cosine_lr(step, args.steps, args.lr))
        if step % 20 == 0:
            rate = (step - first + 1) * args.batch / (time.monotonic() - began)
            print(f"{step}/{args.steps} {rate:.0f}/s loss {loss.item():.5f}", flush=True)
        if time.monotonic() - saved > args.save_seconds:
            save_checkpoint(output, step + 1, {"optimizer": optimizer.state_dict()})
            saved = time.monotonic()
    save_checkpoint(output, args.steps, {"optimizer": optimizer.state_dict()})
    weights = {k: v.contiguous() for k, v in optimizer.averaged_state(network).items()}
    save_file(weights, output / "landmarks.safetensors")


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with landmarks68.csv and its photos")
    parser.add_argument("--output", default="runs/landmarks")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, help="at most this many photos")
    parser.add_argument("--resume", help="'latest' or a checkpoint folder")
    parser.add_argument("--save-seconds", type=float, default=120)
    return parser.parse_args(argv)


if __name__ == "__main__":
    train(parse())
