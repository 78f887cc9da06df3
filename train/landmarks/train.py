"""Trains a network for 68 landmarks: the labeller of training photos, or the landmarker that ships.

    python -m train.landmarks.train labeller --photos DATA/faces/YTF --output runs/landmarks
    python -m train.landmarks.train landmarker --crops runs/real --renders runs/synthetic --empty DATA/faces/portraits
        --minutes 18 --output runs/landmarker
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from facerecon.faces.landmark_network import LandmarkerConfig, LandmarkerNetwork
from facerecon.faces.landmarker import TEMPLATE as LANDMARKER_TEMPLATE
from train.checkpointing import cosine_lr, load_checkpoint, save_checkpoint
from train.command_line import command
from train.landmarks.data import TEMPLATE, Crops, LandmarkBatches, Photos, empty_pictures, stream, to_unit
from train.landmarks.network import LandmarkNetwork
from train.landmarks.objective import distance_and_spread, huber
from train.precision import MasterAdamW, to_bfloat16
from train.progress import RunLog

SCHEDULE = 100_000  # parts the schedule is counted in, when the clock ends it
SAME_TWICE = 0.025  # of a face: the labeller's disagreement with itself above which its word is not taken
# Shares of a batch, at the first step and the last: true landmarks, the labeller's, renders.
SHARES = ((0.45, 0.38, 0.17), (0.65, 0.25, 0.10))


def build(args: argparse.Namespace) -> tuple[torch.nn.Module, int, str]:
    """The network by name, the side of its crops and their template."""
    if args.network == "labeller":
        network = LandmarkNetwork()
        return network, network.trunk.config.image_size, TEMPLATE
    config = LandmarkerConfig()
    return LandmarkerNetwork(config), config.image_size, LANDMARKER_TEMPLATE


def read_batches(args: argparse.Namespace, size: int, template: str) -> LandmarkBatches:
    """The run's batches from the sources that were named."""
    sources: list[Photos | Crops] = [Photos(folder, args.limit) for folder in args.photos]
    shares = [(1.0, 1.0)] * len(sources)
    true, seen, rendered = zip(*args.shares)
    if args.crops:
        photos_aside = 0.0 if args.aside > 1 else 1.0
        sources += [Crops(args.crops, "true", 1.0, args.limit, photos_aside), Crops(args.crops, "seen", SAME_TWICE, args.limit, photos_aside)]
        shares += [true, seen]
    renders = [Crops(folder, limit=args.limit, aside=args.aside) for folder in args.renders]
    sources += renders
    shares += [tuple(share * len(part.images) / sum(len(r.images) for r in renders) for share in rendered) for part in renders]
    if args.candidates:
        sources.append(Crops(args.candidates, limit=args.limit))
        others = [sum(share) for share in zip(*shares)]
        shares.append(tuple(total * args.candidate_share / (1 - args.candidate_share) for total in others))
    empty = empty_pictures(args.empty, size, args.limit) if args.empty else None
    return LandmarkBatches(
        sources, size, args.batch, args.seed, tuple(zip(*shares)), args.steps, template, empty, degraded=args.degraded
    )


def train(args: argparse.Namespace) -> None:
    """Runs to the end of the schedule, from the newest checkpoint if asked, and writes ``landmarks.safetensors``.

    The schedule ends after ``steps``, or by the clock after ``minutes``, whichever is named.
    """
    torch.manual_seed(args.seed)
    output = Path(args.output)
    network, size, template = build(args)
    if args.start:
        network.load_state_dict(load_file(args.start))
    optimizer = MasterAdamW(
        to_bfloat16(network).parameters(), args.lr, weight_decay=0.01, ema=args.ema, muon=args.muon
    )
    state = load_checkpoint(output, args.resume)
    first, spent = (state["step"], state["spent"]) if state else (0, 0.0)
    if state:
        optimizer.load_state_dict(state["optimizer"])
    dataset = read_batches(args, size, template)
    began = saved = time.monotonic()
    done, log = first, RunLog(output, first)
    for step, (crops, truth) in enumerate(stream(dataset, first, args.steps, args.workers), start=first):
        passed = spent + time.monotonic() - began
        progress = max(step / args.steps, passed / (60 * args.minutes)) if args.minutes else step / args.steps
        if progress >= 1:
            break
        parts: dict = {}
        if args.network == "labeller":
            loss = huber(network(to_unit(crops)), truth)
        else:
            loss, parts = distance_and_spread(network(to_unit(crops)), truth)
        optimizer.zero_grad()
        loss.backward()
        warm = min(1.0, (step + 1) / args.warmup)
        optimizer.step(warm * cosine_lr(round(progress * SCHEDULE), SCHEDULE, args.lr, warmup=0))
        done = step + 1
        if step % 20 == 0:
            rate = (step - first + 1) * args.batch / (time.monotonic() - began)
            values = {name: float(value.detach()) for name, value in {"loss": loss, **parts}.items()}
            log.tell(step, f"{progress:.1%} {rate:.0f}/s", values)
        if time.monotonic() - saved > args.save_seconds:
            keep(output, done, spent + time.monotonic() - began, optimizer, network)
            saved = time.monotonic()
    log.close()
    keep(output, done, spent + time.monotonic() - began, optimizer, network)


def keep(output: Path, step: int, spent: float, optimizer: MasterAdamW, network: torch.nn.Module) -> None:
    """A checkpoint to go on from, and the averaged weights as they are now."""
    save_checkpoint(output, step, {"optimizer": optimizer.state_dict(), "spent": spent})
    weights = {k: v.contiguous() for k, v in optimizer.averaged_state(network).items()}
    save_file(weights, output / "landmarks.safetensors")


def three(text: str) -> tuple[float, float, float]:
    """``"0.5,0.3,0.2"`` as numbers."""
    first, second, third = (float(part) for part in text.split(","))
    return first, second, third


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=("labeller", "landmarker"))
    parser.add_argument("--photos", nargs="*", type=Path, default=[], help="folders with landmarks68.csv and its photos")
    parser.add_argument("--crops", type=Path, help="what train.landmarks.label wrote")
    parser.add_argument("--renders", nargs="*", type=Path, default=[], help="what train.reconstruction.prerender wrote")
    parser.add_argument("--empty", nargs="*", type=Path, help="folders of portraits, whose corners hold no face")
    parser.add_argument("--candidates", type=Path, help="what train.detector.candidates wrote: faces and what was taken for one")
    parser.add_argument("--candidate-share", type=float, default=0.2, help="of a batch")
    parser.add_argument("--shares", nargs=2, type=three, default=SHARES, help="true, seen and rendered: at first, at last")
    parser.add_argument(
        "--aside", type=float, default=1.0,
        help="how much more often rendered heads seen from the side are drawn; over 1, photos of such heads are left out",
    )  # fmt: skip
    parser.add_argument("--degraded", type=float, default=0.0, help="share of crops degraded as the restorer's are")
    parser.add_argument("--output", default="runs/landmarks")
    parser.add_argument("--start", help="weights to begin with")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--minutes", type=float, help="end of the schedule by the clock, if it comes before the steps'")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--muon", action="store_true", help="Muon for matrices; learning rate 2e-3")
    parser.add_argument("--warmup", type=int, default=100, help="steps")
    parser.add_argument("--ema", type=float, default=0.998, help="decay of the averaged weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, help="at most this many photos of each source")
    parser.add_argument("--resume", help="'latest' or a checkpoint folder")
    parser.add_argument("--save-seconds", type=float, default=120)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command(lambda: train(parse()))
