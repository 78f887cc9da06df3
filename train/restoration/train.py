"""Trains one stage of the restoration network.

    python -m train.restoration.train --stage codebook --data DATA/faces --config small
    accelerate launch -m train.restoration.train --stage fidelity --data DATA/faces --resume latest
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facerecon.restoration.autoencoder import CodebookAutoencoder
from facerecon.restoration.cleaner import Cleaner
from facerecon.restoration.codeformer import CodeFormer
from facerecon.restoration.colouring import COLOUR_CONFIGS, ColourNetwork
from facerecon.restoration.configuration import CONFIGS
from train.checkpointing import load_checkpoint, save_checkpoint
from train.landmarks.data import to_unit
from train.precision import to_bfloat16
from train.restoration.config import BEGINS_WITH, SCHEDULES, STAGES
from train.restoration.data import CleanFaces, batches
from train.restoration.losses import from_ycc, to_ycc
from train.restoration.stages import Stage


def build(stage: str, config_name: str, weights: Path | None) -> tuple[nn.Module, nn.Module | None]:
    """The network of a stage and, after the first, the frozen stage-I network that names the true codes."""
    config = CONFIGS[config_name]
    if stage in ("cleaner", "colour"):
        return Cleaner(config) if stage == "cleaner" else ColourNetwork(COLOUR_CONFIGS[config_name]), None
    if stage == "codebook":
        return CodebookAutoencoder(config), None
    teacher, network = CodebookAutoencoder(config), CodeFormer(config)
    previous = load_file(weights / f"{BEGINS_WITH[stage]}.safetensors")
    teacher.load_state_dict(load_file(weights / "codebook.safetensors"))
    missing, unexpected = network.load_state_dict(previous, strict=False)
    network.cleaner.load_state_dict(load_file(weights / "cleaner.safetensors"))
    network.cleaner.requires_grad_(False)  # a stage of its own
    new = {"transformer": ("transformer.", "transforms."), "guidance": ("transformer.modulation.",)}.get(stage, ())
    allowed = (*new, "cleaner.")
    if unexpected or any(not m.startswith(allowed) for m in missing):
        raise SystemExit(f"The weights of the stage before do not fit: {missing + unexpected}.")
    return network, teacher.eval()


def save_samples(path: Path, network: nn.Module, clean: Tensor, degraded: Tensor) -> None:
    """A sheet: degraded, restored at 0, 0.5 and 1 (or the reconstruction), clean."""
    with torch.no_grad():
        if isinstance(network, CodeFormer):
            columns = [degraded, *(network(degraded, w) for w in (0.0, 0.5, 1.0)), clean]
        elif isinstance(network, Cleaner):
            columns = [degraded, network.coarse_to_fine(degraded), clean]
        elif isinstance(network, ColourNetwork):
            luma = to_ycc(clean)[:, :1]
            columns = [luma.expand_as(clean), from_ycc(torch.cat([luma, network(luma)], 1)), clean]
        else:
            columns = [clean, network(clean.to(torch.bfloat16))[0]]
    rows = torch.cat([c[:6].float().clamp(0, 1) for c in columns], 3)
    sheet = (rows.permute(0, 2, 3, 1).flatten(0, 1) * 255).byte().numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.ascontiguousarray(sheet[..., ::-1]))


def train(args: argparse.Namespace) -> None:
    """Runs a stage to its end, from the newest checkpoint if asked."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    torch.manual_seed(args.seed)
    folder = Path(args.output) / f"{args.config}-{args.stage}"
    schedule = SCHEDULES[args.config][args.stage]
    given = {name: value for name in ("steps", "lr") if (value := getattr(args, name)) is not None}
    schedule = replace(schedule, **given)
    network, teacher = build(args.stage, args.config, Path(args.output) / f"{args.config}-weights")
    if args.init:
        network.load_state_dict(load_file(args.init))
    network = to_bfloat16(network).train()
    if hasattr(network, "codebook"):
        network.codebook.float()
    stage = Stage(args.stage, network, schedule, to_bfloat16(teacher) if teacher else None)
    if teacher:
        teacher.codebook.float()
    state = load_checkpoint(folder, args.resume)
    first = state["step"] if state else 0
    if state:
        stage.load_state(state)
    faces = CleanFaces(Path(args.data), CONFIGS[args.config].image_size, limit=args.limit)
    accelerator.print(f"{args.stage}: {len(faces.images)} images, steps {first} to {schedule.steps}", flush=True)
    began, last_save = time.monotonic(), time.monotonic()
    stop = min(schedule.steps, args.stop_at or schedule.steps)
    stream = batches(faces, schedule.batch_size, first, stop, args.seed, args.workers, None if args.stage == "cleaner" else schedule.window)
    for step, (clean, degraded, condition) in enumerate(stream, start=first):
        clean, degraded = (to_unit(x, torch.float32) for x in (clean, degraded))
        logs = stage.step(step, clean, degraded, condition)
        if step % args.log_every == 0:
            rate = (step - first + 1) * schedule.batch_size / (time.monotonic() - began)
            print(f"{step} {rate:.1f}/s " + " ".join(f"{k} {v:.4f}" for k, v in logs.items()), flush=True)
        if step % args.sample_every == 0:
            save_samples(folder / "samples" / f"{step:06d}.png", network.eval(), clean, degraded)
            network.train()
        if time.monotonic() - last_save > args.save_seconds:
            save_checkpoint(folder, step + 1, stage.state())
            last_save = time.monotonic()
    save_checkpoint(folder, stop, stage.state())
    weights = Path(args.output) / f"{args.config}-weights"
    weights.mkdir(parents=True, exist_ok=True)
    averaged = {k: v.contiguous() for k, v in stage.optimizer.averaged_state(network).items()}
    save_file(averaged, weights / f"{args.stage}.safetensors")


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--data", required=True, help="folder that holds the packs")
    parser.add_argument("--config", choices=list(SCHEDULES), default="small")
    parser.add_argument("--output", default="runs/restoration")
    parser.add_argument("--resume", help="'latest' or a checkpoint folder")
    parser.add_argument("--init", help="weights of an earlier run of this stage to begin with")
    parser.add_argument("--lr", type=float, help="peak learning rate, instead of the config's")
    parser.add_argument("--steps", type=int, help="length of the schedule, instead of the config's")
    parser.add_argument("--stop-at", type=int, help="stop after this step, the schedule unchanged")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, help="at most this many images of each pack")
    parser.add_argument("--log-every", type=int, default=20)
    parser.add_argument("--sample-every", type=int, default=250)
    parser.add_argument("--save-seconds", type=float, default=120)
    return parser.parse_args(argv)


if __name__ == "__main__":
    train(parse())
