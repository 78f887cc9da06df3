"""Trains one stage of the restoration network.

    python -m train.restoration.train --stage codebook --data DATA/faces --config small
    accelerate launch -m train.restoration.train --stage fidelity --data DATA/faces --resume latest
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import nn

from facerecon.restoration.autoencoder import CodebookAutoencoder
from facerecon.restoration.cleaner import Cleaner, CoarseCleaner
from facerecon.restoration.codeformer import CodeFormer
from facerecon.restoration.colouring import COLOUR_CONFIGS, ColourNetwork
from facerecon.restoration.configuration import CONFIGS
from facerecon.restoration.texture import TEXTURE_CONFIGS, TextureNetwork
from facerecon.types import FaceReconError
from train.checkpointing import load_checkpoint, save_checkpoint
from train.command_line import command
from train.landmarks.data import to_unit
from train.precision import to_bfloat16
from train.processes import draw_apart
from train.progress import RunLog
from train.restoration.config import BEGINS_WITH, SCHEDULES, STAGES, WHOLE_FACES
from train.restoration.data import DETAILED, SMALL, CleanFaces, PairDataset, batches
from train.restoration.samples import samples
from train.restoration.stages import Stage


def build(stage: str, config_name: str, weights: Path | None) -> tuple[nn.Module, nn.Module | None]:
    """The network of a stage, and the frozen one it learns beside: the cleaner, or stage I, which names the true codes."""
    config = CONFIGS[config_name]
    if stage == "colour":
        return ColourNetwork(COLOUR_CONFIGS[config_name]), None
    if stage == "coarse":
        return CoarseCleaner(config), None
    if stage == "cleaner":
        return with_coarse(Cleaner(config), weights), None
    if stage == "texture":
        cleaner = Cleaner(config)
        cleaner.load_state_dict(learned(weights, "cleaner"))
        return TextureNetwork(TEXTURE_CONFIGS[config_name]), cleaner.eval()
    if stage == "codebook":
        return CodebookAutoencoder(config), None
    teacher, network = CodebookAutoencoder(config), CodeFormer(config)
    previous = learned(weights, BEGINS_WITH[stage])
    teacher.load_state_dict(learned(weights, "codebook"))
    missing, unexpected = network.load_state_dict(previous, strict=False)
    network.cleaner.load_state_dict(learned(weights, "cleaner"))
    network.cleaner.requires_grad_(False)  # stages of its own
    new = {"transformer": ("transformer.", "transforms."), "guidance": ("transformer.modulation.",)}.get(stage, ())
    allowed = (*new, "cleaner.")
    if unexpected or any(not m.startswith(allowed) for m in missing):
        raise SystemExit(f"The weights of the stage before do not fit: {missing + unexpected}.")
    return network, teacher.eval()


def learned(weights: Path, stage: str) -> dict[str, torch.Tensor]:
    """The weights that an earlier stage left.

    Raises:
        FaceReconError: it was not trained.
    """
    file = weights / f"{stage}.safetensors"
    if not file.is_file():
        raise FaceReconError(f"There is no {file}: train --stage {stage} first.")
    return load_file(file)


def with_coarse(cleaner: Cleaner, weights: Path) -> Cleaner:
    """A cleaner that begins with what the stage before learned, and keeps it."""
    cleaner.coarse.load_state_dict(learned(weights, BEGINS_WITH["cleaner"]))
    cleaner.coarse.requires_grad_(False)
    return cleaner


def train(args: argparse.Namespace) -> None:
    """Runs a stage to its end, from the newest checkpoint if asked."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    rank, ranks = accelerator.process_index, accelerator.num_processes
    torch.manual_seed(args.seed)
    folder = Path(args.output) / f"{args.config}-{args.stage}"
    schedule = SCHEDULES[args.config][args.stage]
    given = {name: value for name in ("steps", "lr", "batch_size") if (value := getattr(args, name)) is not None}
    schedule = replace(schedule, **given)
    network, teacher = build(args.stage, args.config, Path(args.output) / f"{args.config}-weights")
    if args.init:
        network.load_state_dict({**network.state_dict(), **load_file(args.init)})
    network = half(network).train().to(accelerator.device)
    stage = Stage(args.stage, network, schedule, half(teacher).to(accelerator.device) if teacher else None, accelerator)
    state = load_checkpoint(folder, args.resume)
    first, stop = state["step"] if state else 0, min(schedule.steps, args.stop_at or schedule.steps)
    if state:
        stage.load_state(state)
    accelerator.wait_for_everyone()  # else the main process may prune what another still reads
    coarse, config = args.stage == "coarse", CONFIGS[args.config]
    faces = CleanFaces(Path(args.data), config.coarse_size if coarse else config.image_size, limit=args.limit, points=args.points)
    accelerator.print(f"{args.stage}: {len(faces.images)} images, steps {first} to {schedule.steps}", flush=True)
    window, kinds = None if args.stage in WHOLE_FACES else schedule.window, SMALL if coarse else DETAILED
    dataset = PairDataset(faces, schedule.batch_size, args.seed, (first, stop), (rank, ranks), window, kinds)
    log = RunLog(folder, first, accelerator.is_main_process)
    began = saved = time.monotonic()
    for step, batch in enumerate(batches(dataset, args.workers), start=first):
        draw_apart(accelerator, args.seed, step)
        clean, degraded, condition = (part.to(accelerator.device) for part in batch)
        clean, degraded = (to_unit(x, torch.float32) for x in (clean, degraded))
        logs = stage.step(step, clean, degraded, condition)
        if step % args.log_every == 0:
            rate = (step - first + 1) * schedule.batch_size * ranks / (time.monotonic() - began)
            log.tell(step, f"of {schedule.steps}, {rate:.1f}/s", logs)
        if step % args.sample_every == 0 and accelerator.is_main_process:
            log.show(step, "samples", samples(network.eval(), clean, degraded))
            network.train()
        if time.monotonic() - saved > args.save_seconds and accelerator.is_main_process:
            save_checkpoint(folder, step + 1, stage.state())
            saved = time.monotonic()
    log.close()
    if accelerator.is_main_process:
        save_checkpoint(folder, stop, stage.state())
        weights = Path(args.output) / f"{args.config}-weights"
        weights.mkdir(parents=True, exist_ok=True)
        averaged = {k: v.cpu().contiguous() for k, v in stage.optimizer.averaged_state(network).items()}
        save_file(averaged, weights / f"{args.stage}.safetensors")
    accelerator.wait_for_everyone()


def half(network: nn.Module) -> nn.Module:
    """A network in bfloat16, but for the codebook, whose running sums need more."""
    network = to_bfloat16(network)
    if hasattr(network, "codebook"):
        network.codebook.float()
    return network


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--data", required=True, help="folder that holds the packs")
    parser.add_argument("--points", type=Path, help="file of train.restoration.points: faces are cut by them, as in use")
    parser.add_argument("--config", choices=list(SCHEDULES), default="small")
    parser.add_argument("--output", default="runs/restoration")
    parser.add_argument("--resume", help="'latest' or a checkpoint folder")
    parser.add_argument("--init", help="weights of an earlier run of this stage to begin with")
    parser.add_argument("--lr", type=float, help="peak learning rate, instead of the config's")
    parser.add_argument("--steps", type=int, help="length of the schedule, instead of the config's")
    parser.add_argument("--batch-size", type=int, help="crops a step of one process, instead of the config's")
    parser.add_argument("--stop-at", type=int, help="stop after this step, the schedule unchanged")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, help="at most this many images of each pack")
    parser.add_argument("--log-every", type=int, default=20)
    parser.add_argument("--sample-every", type=int, default=250)
    parser.add_argument("--save-seconds", type=float, default=120)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command(lambda: train(parse()))
