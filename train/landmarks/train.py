"""Trains a network for 68 landmarks: the labeller of training photos, or the landmarker that ships.

    python -m train.landmarks.train labeller --photos DATA/faces/YTF --output runs/landmarks
    python -m train.landmarks.train landmarker --crops runs/real --renders runs/synthetic --empty DATA/faces/portraits
        --minutes 18 --output runs/landmarker
    accelerate launch -m train.landmarks.train landmarker --crops runs/real --output runs/landmarker --resume latest
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor

from facerecon.faces.landmark_network import LandmarkerNetwork
from facerecon.faces.landmarker import TEMPLATE as LANDMARKER_TEMPLATE
from facerecon.images import atomic_write
from train.command_line import command
from train.landmarks.config import CONFIGS, TrainConfig
from train.landmarks.data import TEMPLATE, Crops, LandmarkBatches, Photos, empty_pictures, stream, to_unit
from train.landmarks.network import LandmarkNetwork
from train.landmarks.objective import distance_and_spread, huber
from train.loop import Run, add_options, configured
from train.precision import MasterAdamW, to_bfloat16
from train.schedule import Schedule

SAME_TWICE = 0.025  # of a face: the labeller's disagreement with itself above which its word is not taken
# Shares of a batch, at the first step and the last: true landmarks, the labeller's, renders.
SHARES = ((0.45, 0.38, 0.17), (0.65, 0.25, 0.10))


def build(network: str, config: TrainConfig) -> tuple[torch.nn.Module, int, str]:
    """The network by name, the side of its crops and their template."""
    if network == "labeller":
        return LandmarkNetwork(config.labeller), config.labeller.image_size, TEMPLATE
    return LandmarkerNetwork(config.landmarker), config.landmarker.image_size, LANDMARKER_TEMPLATE


def read_batches(args: argparse.Namespace, config: TrainConfig, size: int, template: str, processes: int = 1) -> LandmarkBatches:
    """The batches of all processes of the run, from the sources that were named."""
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
        sources, size, config.batch, args.seed, tuple(zip(*shares)), config.steps * processes, template, empty, degraded=args.degraded
    )


def train(args: argparse.Namespace) -> Path:
    """Runs to the end of the schedule, from the newest checkpoint if asked, and returns ``landmarks.safetensors``.

    The schedule ends after ``steps``, or by the clock after ``minutes``, whichever is first.
    """
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    torch.manual_seed(args.seed)
    config, output = configured(CONFIGS[args.config], args), Path(args.output)
    network, size, template = build(args.network, config)
    if args.start:
        network.load_state_dict(load_file(args.start))
    network = to_bfloat16(network).to(accelerator.device)
    optimizer = MasterAdamW(network.parameters(), config.lr, weight_decay=0.01, ema=config.ema, muon=args.muon)
    schedule = Schedule.warmed(config.steps, config.lr, config.warmup, args.minutes)
    run = Run(accelerator, output, schedule, {"optimizer": optimizer}, args)
    dataset = read_batches(args, config, size, template, accelerator.num_processes)

    def losses(batch: tuple[Tensor, Tensor], step: int) -> tuple[Tensor, dict[str, Tensor]]:
        crops, truth = batch
        found = network(to_unit(crops))
        return (huber(found, truth), {}) if args.network == "labeller" else distance_and_spread(found, truth)

    path = output / "landmarks.safetensors"
    batches = stream(dataset, run.first, run.last, args.workers, run.place)
    run.optimise(batches, losses, lambda: write(path, optimizer, network))
    return path


def write(path: Path, optimizer: MasterAdamW, network: torch.nn.Module) -> None:
    """The averaged weights as they are now."""
    weights = {k: v.contiguous().cpu() for k, v in optimizer.averaged_state(network).items()}
    with atomic_write(path) as aside:
        save_file(weights, aside)


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
    parser.add_argument("--config", choices=list(CONFIGS), default="small")
    parser.add_argument("--minutes", type=float, help="end of the schedule by the clock, if it comes before the steps'")
    parser.add_argument("--batch", type=int, help="crops a step of one process, instead of the config's")
    parser.add_argument("--lr", type=float, help="peak learning rate, instead of the config's")
    parser.add_argument("--muon", action="store_true", help="Muon for matrices; learning rate 2e-3")
    parser.add_argument("--warmup", type=int, help="steps, instead of the config's")
    parser.add_argument("--ema", type=float, help="decay of the averaged weights, instead of the config's")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, help="at most this many photos of each source")
    add_options(parser, log_every=20)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command(lambda: train(parse()))
