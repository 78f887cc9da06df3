"""Trains the face detector on scenes composed on the fly.

    python -m train.detector.train --photos runs/detector/faces --crops runs/real --renders runs/synthetic \\
        --backgrounds DATA/lighting/backgrounds --output runs/detector --minutes 28
    accelerate launch -m train.detector.train ... --resume latest

Writes ``detector.pt``, the averaged weights; ``train.detector.export`` makes the shipped file of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import torch
from accelerate import Accelerator

from facerecon.checkpoints import load_network
from facerecon.faces.center import NAME, build
from facerecon.faces.center_network import CenterNetwork, patches_of
from train.checkpointing import cosine_lr, load_checkpoint, save_checkpoint
from train.command_line import command
from train.detector.config import CONFIGS, TrainConfig
from train.detector.data import SceneBatches
from train.detector.losses import detection_losses
from train.detector.scenes import Composer
from train.detector.sources import Backgrounds, FaceMixture
from train.landmarks.data import stream
from train.loop import agreed, share_gradients
from train.precision import MasterAdamW, to_bfloat16
from train.progress import RunLog

SCHEDULE = 10_000  # resolution of the cosine
SMOOTHING = 0.98


def train(args: argparse.Namespace) -> Path:
    """Runs to the end of the schedule, from the newest checkpoint if asked, and returns ``detector.pt``."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    torch.manual_seed(args.seed)
    config = CONFIGS[args.config]
    config = dataclasses.replace(config, **{k: v for k in ("steps", "lr") if (v := getattr(args, k)) is not None})
    network = (load_network(NAME, build, args.init) if args.init else CenterNetwork(config.network)).to(accelerator.device)
    config = dataclasses.replace(config, network=network.config)
    optimizer = MasterAdamW(
        network.parameters(), config.lr, weight_decay=config.weight_decay, clip=5.0, ema=config.ema, muon=True
    )
    network = to_bfloat16(network)
    output = Path(args.output)
    state = load_checkpoint(output, args.resume)
    first, before = (state["step"], state["seconds"]) if state else (0, 0.0)
    if state:
        optimizer.load_state_dict(state["optimizer"])
    rank, ranks = accelerator.process_index, accelerator.num_processes
    faces = FaceMixture.load(*([Path(p) for p in given] for given in (args.photos, args.crops, args.renders)))
    composer = Composer(faces, Backgrounds([Path(p) for p in args.backgrounds]), config.size)
    batches, stop = SceneBatches(composer, config, args.seed, rank), min(config.steps, args.stop_at or config.steps)
    began = saved = time.monotonic()
    smooth: dict[str, float] = {}
    done, log = first, RunLog(output, first, accelerator.is_main_process)
    for step, (pictures, targets) in enumerate(stream(batches, first, stop, args.workers), start=first):
        seconds = agreed(accelerator, time.monotonic() - began + before)
        share = max(step / config.steps, seconds / (60 * args.minutes) if args.minutes else 0.0)
        if share >= 1:
            break
        seen = network(patches_of(pictures.to(accelerator.device), torch.bfloat16))
        parts = detection_losses(seen, targets.to(accelerator.device), config.size, config.size)
        optimizer.zero_grad()
        (parts["confidence"] + config.box_weight * parts["box"] + config.point_weight * parts["points"]).backward()
        share_gradients(accelerator, optimizer)
        optimizer.step(cosine_lr(round(share * SCHEDULE), SCHEDULE, config.lr, warmup=SCHEDULE // 25))
        done = step + 1
        smooth = {k: smooth.get(k, v.item()) * SMOOTHING + v.item() * (1 - SMOOTHING) for k, v in parts.items()}
        if done % args.log_every == 0:
            rate = (done - first) * len(pictures) * ranks / (time.monotonic() - began)
            log.tell(done, f"{share:.1%} {rate:.0f}/s", smooth)
        if time.monotonic() - saved > args.save_seconds and accelerator.is_main_process:
            save_checkpoint(output, done, {"optimizer": optimizer.state_dict(), "seconds": seconds})
            write(output / "detector.pt", network, optimizer, config, done, seconds)
            saved = time.monotonic()
    log.close()
    seconds = time.monotonic() - began + before
    if accelerator.is_main_process:
        save_checkpoint(output, done, {"optimizer": optimizer.state_dict(), "seconds": seconds})
        write(output / "detector.pt", network, optimizer, config, done, seconds)
        print(f"finished after {done} steps", flush=True)
    accelerator.wait_for_everyone()
    return output / "detector.pt"


def write(path: Path, network: CenterNetwork, optimizer: MasterAdamW, config: TrainConfig, steps: int, seconds: float) -> None:
    """The averaged weights in float32 with the facts of the run, aside first and then renamed."""
    weights = {name: value.cpu() for name, value in optimizer.averaged_state(network).items()}
    aside = path.with_name(f".{path.name}")
    torch.save({"weights": weights, "config": dataclasses.asdict(config), "steps": steps, "minutes": seconds / 60}, aside)
    aside.rename(path)


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
    parser.add_argument("--steps", type=int, help="length of the schedule in steps")
    parser.add_argument("--stop-at", type=int, help="stop here, as if interrupted")
    parser.add_argument("--lr", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--resume", help="'latest' or a checkpoint folder")
    parser.add_argument("--init", help="exported weights, a file or folder, to begin a new schedule with; --lr 1e-3 suits them")
    parser.add_argument("--save-seconds", type=float, default=120)
    parser.add_argument("--log-every", type=int, default=20)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command(lambda: train(parse()))
