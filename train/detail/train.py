"""Trains the detail network: shading to displacement.

    python -m train.detail.train --data runs/detail/faces --config small
    accelerate launch -m train.detail.train --data runs/detail/faces --resume latest
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from accelerate import Accelerator

from facerecon.reconstruction.detail_network import DetailNetwork
from train.checkpointing import cosine_lr, load_checkpoint, save_checkpoint, save_weights
from train.detail.config import CONFIGS
from train.detail.data import DetailBatches
from train.detail.objective import Objective
from train.precision import MasterAdamW, to_bfloat16

SMOOTHING = 0.97  # of the numbers on the progress line


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
    state = load_checkpoint(output, args.resume)
    first = state["step"] if state else 0
    if state:
        optimizer.load_state_dict(state["optimizer"])
    objective = Objective(config.weights, args.seed)
    stop = min(config.steps, args.stop_at or config.steps)
    began = saved = time.monotonic()
    smooth: dict[str, float] = {}
    for step in range(first, stop):
        batch = {kind: {k: v.to(accelerator.device) for k, v in rows.items()} for kind, rows in batches[step].items()}
        loss, logs = objective(network, batch, step * accelerator.num_processes + accelerator.process_index)
        optimizer.zero_grad()
        loss.backward()
        if accelerator.num_processes > 1:
            for parameter in network.parameters():
                parameter.grad = accelerator.reduce(parameter.grad, "mean")
        optimizer.step(cosine_lr(step, config.steps, config.lr))
        smooth = {k: smooth.get(k, v) * SMOOTHING + v * (1 - SMOOTHING) for k, v in logs.items()}
        if step % args.log_every == 0 and accelerator.is_main_process:
            rate = (step - first + 1) / (time.monotonic() - began)
            print(f"{step}/{config.steps} {rate:.2f} steps/s " + " ".join(f"{k} {v:.4g}" for k, v in smooth.items()), flush=True)
        if time.monotonic() - saved > args.save_seconds and accelerator.is_main_process:
            save_checkpoint(output, step + 1, {"optimizer": optimizer.state_dict()})
            save_weights(output / "detail.safetensors", network, optimizer, network.config.to_dict(), asdict(config))
            saved = time.monotonic()
    if accelerator.is_main_process:
        save_checkpoint(output, stop, {"optimizer": optimizer.state_dict()})
        save_weights(output / "detail.safetensors", network, optimizer, network.config.to_dict(), asdict(config))
    accelerator.wait_for_everyone()
    return output / "detail.safetensors"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of train.detail.prepare")
    parser.add_argument("--config", choices=list(CONFIGS), default="small")
    parser.add_argument("--output", default="runs/detail/run")
    parser.add_argument("--resume", help="'latest' or a checkpoint folder")
    parser.add_argument("--steps", type=int, help="length of the schedule, instead of the config's")
    parser.add_argument("--lr", type=float, help="peak learning rate, instead of the config's")
    parser.add_argument("--stop-at", type=int, help="stop after this step, the schedule unchanged")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log-every", type=int, default=50)
    parser.add_argument("--save-seconds", type=float, default=120)
    return parser.parse_args(argv)


if __name__ == "__main__":
    train(parse())
