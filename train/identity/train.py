"""Trains the face embedding.

    python -m train.identity.train --data runs/identity/faces --output runs/identity --minutes 22

Embeddings of two photos of each person are drawn together, and away from everybody else's
(``Contrast``); people with names also have a class with a margin (``CosFace``); photos of
nobody in particular are people of their own, seen in two views, and say what is known of them
(``Attributes``). With ``--minutes`` the schedule follows the clock, which a shared machine needs.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from facerecon.identity.network import IdentityConfig, IdentityNetwork
from facerecon.identity.storage import save_network
from train.checkpointing import cosine_lr, load_checkpoint, save_checkpoint
from train.command_line import command
from train.identity.data import Batch, Faces, PeopleBatches
from train.identity.losses import Attributes, Contrast, CosFace
from train.precision import MasterAdamW, to_bfloat16
from train.progress import RunLog

TICKS = 10_000  # of the schedule, when it follows the clock
CALIBRATION_STEP, CALIBRATION_BATCHES = 10**9, 16  # batches no training step draws


class Learner(nn.Module):
    """The network with what only training needs."""

    def __init__(self, config: IdentityConfig, people: int, margin: float) -> None:
        super().__init__()
        self.network = to_bfloat16(IdentityNetwork(config))
        float_norms(self.network)
        self.classes = CosFace(config.embedding, people, margin=margin)
        self.attributes = Attributes(config.embedding)


def float_norms(network: nn.Module) -> None:
    """The embedding's normalisation keeps float32 statistics; bfloat16's would stand still."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.float()


def train(args: argparse.Namespace) -> None:
    """Runs to the end of the schedule and writes ``identity.safetensors``; snapshots on the way."""
    torch.manual_seed(args.seed)
    output = Path(args.output)
    faces = Faces.load([Path(folder) for folder in args.data], args.limit)
    batches = PeopleBatches(faces, args.pairs, args.seed, tuple(args.shares))
    learner = Learner(IdentityConfig(), faces.named, args.margin)
    contrast = Contrast(args.temperature, args.memory)
    optimizers = make_optimizers(learner, args)
    state = load_checkpoint(output, args.resume)
    first, before = (state["step"], state["seconds"]) if state else (0, 0.0)
    if state:
        for optimizer, saved_optimizer in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved_optimizer)
        learner.load_state_dict(state["norms"], strict=False)
        contrast.load_state(state["contrast"])
    print(f"{len(faces.person)} faces, {faces.named} people with names", flush=True)
    began = saved = time.monotonic()
    done, log = first, RunLog(output, first)

    def keep(file: str) -> None:
        norms = {k: v for k, v in learner.state_dict().items() if "running" in k}
        parts = {"optimizers": [o.state_dict() for o in optimizers], "norms": norms, "contrast": contrast.state()}
        save_checkpoint(output, done, {**parts, "seconds": time.monotonic() - began + before})
        save_network(averaged(learner.network, optimizers[0], batches), output / file)

    for step, batch in enumerate(_stream(batches, first, args.steps, args.workers), start=first):
        seconds = time.monotonic() - began + before
        tick, ticks = (seconds / (args.minutes * 60) * TICKS, TICKS) if args.minutes else (step, args.steps)
        if tick >= ticks:
            break
        parts = losses(learner, contrast, batch)
        for optimizer in optimizers:
            optimizer.zero_grad()
        (parts["contrast"] + args.class_weight * parts["classes"] + args.attribute_weight * parts["attributes"]).backward()
        for optimizer in optimizers:
            optimizer.step(cosine_lr(int(tick), ticks, args.lr, warmup=ticks // 20))
        done = step + 1
        if step % 20 == 0:
            rate = (done - first) * args.pairs * 2 / (time.monotonic() - began)
            log.tell(step, f"{tick / ticks:.0%} {rate:.0f}/s", {name: value.item() for name, value in parts.items()})
        if time.monotonic() - saved > args.save_seconds:
            keep("snapshot.safetensors")
            saved = time.monotonic()
    log.close()
    keep("identity.safetensors")
    print(f"finished after {done} steps", flush=True)


def make_optimizers(learner: Learner, args: argparse.Namespace) -> list[MasterAdamW]:
    """One for the network, one for the heads: Muon is not made for classifiers."""
    heads = [*learner.classes.parameters(), *learner.attributes.parameters()]
    network = MasterAdamW(learner.network.parameters(), args.lr, weight_decay=args.decay, clip=5.0, ema=args.average, muon=not args.adamw)
    return [network, MasterAdamW(heads, args.lr, weight_decay=args.decay, clip=5.0)]


def losses(learner: Learner, contrast: Contrast, batch: Batch) -> dict[str, Tensor]:
    """The three losses of a batch."""
    crops = batch.crops.permute(0, 3, 1, 2).to(torch.bfloat16) / 255  # channels-last as it lies
    embedding = learner.network(crops)
    unit = F.normalize(embedding, dim=1)
    parts = {"contrast": contrast(unit, batch.person), "classes": learner.classes(unit, batch.person)}
    parts["attributes"] = learner.attributes(embedding, batch.age, batch.gender, batch.race)
    parts["cosine"] = (unit[0::2].detach() * unit[1::2].detach()).sum(1).mean()  # of pairs, to watch
    return parts


@torch.no_grad()
def averaged(trained: IdentityNetwork, optimizer: MasterAdamW, batches: PeopleBatches) -> IdentityNetwork:
    """The network with averaged weights, and batch statistics to match."""
    network = copy.deepcopy(trained).float().eval()  # a fresh one would draw random numbers, which a resumed run does not
    network.load_state_dict(optimizer.averaged_state(trained))
    network.norm.reset_running_stats()
    twin = to_bfloat16(copy.deepcopy(network))
    float_norms(twin)
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = None  # a plain mean over the batches
            module.train()
    for i in range(CALIBRATION_BATCHES):
        twin(batches[CALIBRATION_STEP + i].crops.permute(0, 3, 1, 2).to(torch.bfloat16) / 255)
    for name, buffer in twin.named_buffers():
        if "running" in name:
            network.get_buffer(name).copy_(buffer)
    return network


def _stream(batches: PeopleBatches, first: int, last: int, workers: int) -> Iterator[Batch]:
    # A generator of its own: else each start would draw a number from the one that dropout uses.
    options = {"prefetch_factor": 4 if workers else None, "generator": torch.Generator()}
    yield from DataLoader(batches, batch_size=None, sampler=range(first, last), num_workers=workers, **options)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, help="folders that train.identity.prepare and render wrote")
    parser.add_argument("--output", default="runs/identity")
    parser.add_argument("--minutes", type=float, help="length of the schedule; otherwise --steps")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=80, help="people a batch, two photos each")
    parser.add_argument("--shares", type=float, nargs=3, default=(0.45, 0.2, 0.35), help="see PeopleBatches")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--adamw", action="store_true", help="AdamW instead of Muon for the network's matrices")
    parser.add_argument("--decay", type=float, default=0.05)
    parser.add_argument("--average", type=float, default=0.995, help="decay of the weights' moving average")
    parser.add_argument("--margin", type=float, default=0.2)
    parser.add_argument("--temperature", type=float, default=0.1)
    parser.add_argument("--memory", type=int, default=0, help="embeddings of earlier batches to contrast with")
    parser.add_argument("--class-weight", type=float, default=0.4)
    parser.add_argument("--attribute-weight", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, help="at most this many faces of each folder")
    parser.add_argument("--resume", help="'latest' or a checkpoint folder")
    parser.add_argument("--save-seconds", type=float, default=180)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command(lambda: train(parse()))
