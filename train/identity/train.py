"""Trains the face embedding.

    python -m train.identity.train --data runs/identity/faces --output runs/identity --minutes 22
    accelerate launch -m train.identity.train --data runs/identity/faces --output runs/identity --resume latest

Embeddings of two photos of each person are drawn together, and away from everybody else's
(``Contrast``); people with names also have a class with a margin (``CosFace``); photos of
nobody in particular are people of their own, seen in two views, and say what is known of them
(``Attributes``). With ``--minutes`` the schedule follows the clock, which a shared machine needs.
``identity.safetensors`` is always the network of the newest checkpoint; its metadata say how far that is.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from facerecon.identity.network import IdentityNetwork
from facerecon.identity.storage import save_network
from train.command_line import command
from train.identity.config import CONFIGS, TrainConfig
from train.identity.data import Batch, Faces, PeopleBatches
from train.identity.losses import Attributes, Contrast, CosFace
from train.landmarks.data import stream
from train.loop import Run, add_options, configured
from train.precision import MasterAdamW, to_bfloat16
from train.schedule import Schedule

WARMUP = 20  # the part of a run in which the rate rises
CALIBRATION_STEP, CALIBRATION_BATCHES = 10**9, 16  # batches no training step draws


class Learner(nn.Module):
    """The network with what only training needs.

    Args:
        config: of the run.
        people: how many have a class.
    """

    def __init__(self, config: TrainConfig, people: int) -> None:
        super().__init__()
        self.network = to_bfloat16(IdentityNetwork(config.network))
        float_norms(self.network)
        self.classes = CosFace(config.network.embedding, people, margin=config.margin)
        self.attributes = Attributes(config.network.embedding)

    def forward(self, batch: Batch, contrast: Contrast) -> dict[str, Tensor]:
        """The three losses of a batch, and the mean cosine of its pairs, to watch."""
        embedding = self.network(pixels(batch))
        unit = F.normalize(embedding, dim=1)
        parts = {"contrast": contrast(unit, batch.person), "classes": self.classes(unit, batch.person)}
        parts["attributes"] = self.attributes(embedding, batch.age, batch.gender, batch.race)
        parts["cosine"] = (unit[0::2].detach() * unit[1::2].detach()).sum(1).mean()
        return parts


def pixels(batch: Batch) -> Tensor:
    """The crops (B, 3, S, S) in [0, 1], bfloat16, channels-last as they lie."""
    return batch.crops.permute(0, 3, 1, 2).to(torch.bfloat16) / 255


def float_norms(network: nn.Module) -> None:
    """The embedding's normalisation keeps float32 statistics; bfloat16's would stand still."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.float()


def train(args: argparse.Namespace) -> Path:
    """Runs to the end of the schedule, from the newest checkpoint if asked, and returns ``identity.safetensors``."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    torch.manual_seed(args.seed)
    config, output = configured(CONFIGS[args.config], args), Path(args.output)
    faces = Faces.load([Path(folder) for folder in args.data], args.limit)
    batches = PeopleBatches(faces, config.pairs, args.seed, tuple(config.shares))
    learner = Learner(config, faces.named).to(accelerator.device)
    contrast = Contrast(config.temperature, config.memory, accelerator.gather)
    trunk, heads = make_optimizers(learner, config, args.adamw)
    kept = {"optimizer": trunk, "heads": heads, "norm": learner.network.norm, "contrast": contrast}
    run = Run(accelerator, output, schedule(config, args.minutes), kept, args)
    accelerator.print(f"{len(faces.person)} faces, {faces.named} people with names", flush=True)

    def losses(batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        parts = learner(batch, contrast)
        told = {name: value.detach() for name, value in parts.items()}
        return parts["contrast"] + config.class_weight * parts["classes"] + config.attribute_weight * parts["attributes"], told

    def write() -> None:
        facts = {"steps": run.done, "minutes": run.seconds / 60, "schedule": min(run.schedule.share(run.done, run.seconds), 1.0)}
        save_network(averaged(learner.network, trunk, batches), path, facts)

    path = output / "identity.safetensors"
    run.optimise(stream(batches, run.first, run.last, args.workers, run.place), losses, write)
    accelerator.print(f"finished after {run.done} steps", flush=True)
    return path


def schedule(config: TrainConfig, minutes: float | None) -> Schedule:
    """A twentieth of the run up to the full rate, by the clock or by steps."""
    if minutes:
        return Schedule.timed(config.steps, config.lr, 1 / WARMUP, minutes)
    return Schedule.stepped(config.steps, config.lr, config.steps // WARMUP)


def make_optimizers(learner: Learner, config: TrainConfig, adamw: bool) -> tuple[MasterAdamW, MasterAdamW]:
    """One for the network, one for the heads: Muon is not made for classifiers."""
    heads = [*learner.classes.parameters(), *learner.attributes.parameters()]
    trunk = learner.network.parameters()
    network = MasterAdamW(trunk, config.lr, weight_decay=config.decay, clip=5.0, ema=config.average, muon=not adamw)
    return network, MasterAdamW(heads, config.lr, weight_decay=config.decay, clip=5.0)


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
        twin(pixels(batches[CALIBRATION_STEP + i].to(trained.project.weight.device)))
    for name, buffer in twin.named_buffers():
        if "running" in name:
            network.get_buffer(name).copy_(buffer)
    return network.cpu()


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, help="folders that train.identity.prepare and render wrote")
    parser.add_argument("--output", default="runs/identity")
    parser.add_argument("--config", choices=list(CONFIGS), default="small", help="what the options below leave open")
    parser.add_argument("--minutes", type=float, help="length of the schedule by the clock, if it ends before the steps")
    parser.add_argument("--pairs", type=int, help="people a step of one process, two photos each")
    parser.add_argument("--shares", type=float, nargs=3, help="see PeopleBatches")
    parser.add_argument("--lr", type=float)
    parser.add_argument("--adamw", action="store_true", help="AdamW instead of Muon for the network's matrices")
    parser.add_argument("--decay", type=float)
    parser.add_argument("--average", type=float, help="decay of the weights' moving average")
    parser.add_argument("--margin", type=float)
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--memory", type=int, help="embeddings of earlier batches to contrast with")
    parser.add_argument("--class-weight", type=float)
    parser.add_argument("--attribute-weight", type=float)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, help="at most this many faces of each folder")
    add_options(parser, log_every=20, save_seconds=180)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command(lambda: train(parse()))
