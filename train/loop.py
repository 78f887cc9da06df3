"""The loop that the stages of the head share: gradients over processes, learning rate, progress line, checkpoints."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor

from train.checkpointing import cosine_lr, load_checkpoint, save_checkpoint
from train.precision import MasterAdamW
from train.progress import RunLog

Weights = TypeVar("Weights")

SMOOTHING = 0.95  # of the numbers on the progress line


class Schedule(Protocol):
    """What the loop asks of a stage's config: its length in steps, and the peak learning rate."""

    steps: int
    lr: float


def add_options(parser: argparse.ArgumentParser, log_every: int = 50) -> None:
    """The options that this loop and the schedule of a stage have."""
    parser.add_argument("--resume", help="'latest' or a checkpoint folder")
    parser.add_argument("--steps", type=int, help="length of the schedule, instead of the config's")
    parser.add_argument("--stop-at", type=int, help="stop after this step, the schedule unchanged")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log-every", type=int, default=log_every)
    parser.add_argument("--save-seconds", type=float, default=120)


def add_weights(parser: argparse.ArgumentParser) -> None:
    """The option that :func:`reweighted` reads."""
    parser.add_argument("--weights", nargs="*", default=[], metavar="LOSS=WEIGHT", help="other weights of losses")


def reweighted(weights: Weights, args: argparse.Namespace) -> Weights:
    """Weights of losses, a dataclass, with what the command line changes.

    Raises:
        SystemExit: a loss that there is not, or no number.
    """
    known = [field.name for field in fields(weights)]
    try:
        given = {name: float(value) for name, value in (pair.split("=") for pair in args.weights)}
        return replace(weights, **given)
    except (TypeError, ValueError) as error:
        raise SystemExit(f"--weights takes NAME=NUMBER with a name of {', '.join(known)}, not {' '.join(args.weights)}.") from error


def resume(optimizer: MasterAdamW, output: Path, which: str | None) -> int:
    """The step to begin with: that of a checkpoint, whose state the optimizer takes over, or 0; see ``load_checkpoint``."""
    state = load_checkpoint(output, which)
    if state:
        optimizer.load_state_dict(state["optimizer"])
    return state["step"] if state else 0


def last_step(schedule: Schedule, args: argparse.Namespace) -> int:
    """Where a run ends: with its schedule, or before at ``--stop-at``."""
    return min(schedule.steps, args.stop_at or schedule.steps)


def optimise(
    accelerator: Accelerator,
    optimizer: MasterAdamW,
    schedule: Schedule,
    batches: Iterable[dict],
    losses: Callable[[dict, int], tuple[Tensor, dict[str, float]]],
    first: int,
    output: Path,
    args: argparse.Namespace,
) -> None:
    """Takes a step for each batch and leaves a checkpoint in ``output`` at the end, and every ``--save-seconds``.

    Args:
        batches: tensors by name, or such dicts by name, from step ``first`` on.
        losses: of a batch that lies on the device, and the number of its step: what to descend on, and what to tell.
    """
    began = saved = time.monotonic()
    smooth: dict[str, float] = {}
    log = RunLog(output, first, accelerator.is_main_process)
    for step, batch in enumerate(batches, start=first):
        loss, logs = losses(_to(batch, accelerator), step)
        optimizer.zero_grad()
        loss.backward()
        share_gradients(accelerator, optimizer)
        optimizer.step(cosine_lr(step, schedule.steps, schedule.lr))
        smooth = {k: smooth.get(k, v) * SMOOTHING + v * (1 - SMOOTHING) for k, v in logs.items()}
        if step % args.log_every == 0:
            rate = (step - first + 1) / (time.monotonic() - began)
            log.tell(step, f"of {schedule.steps}, {rate:.2f} steps/s", {"loss": loss.item(), **smooth})
        if time.monotonic() - saved > args.save_seconds and accelerator.is_main_process:
            save_checkpoint(output, step + 1, {"optimizer": optimizer.state_dict()})
            saved = time.monotonic()
    log.close()
    if accelerator.is_main_process:
        save_checkpoint(output, last_step(schedule, args), {"optimizer": optimizer.state_dict()})


def share_gradients(accelerator: Accelerator, optimizer: MasterAdamW) -> None:
    """The mean of the processes' gradients, in each of them."""
    if accelerator.num_processes > 1:
        for parameter in optimizer.model_parameters:
            if parameter.grad is not None:
                parameter.grad = accelerator.reduce(parameter.grad, "mean")


def agreed(accelerator: Accelerator, number: float) -> float:
    """The mean of the processes' numbers, so that what depends on a clock, such as the last step, comes to all at once."""
    if accelerator.num_processes == 1:
        return number
    return float(accelerator.reduce(torch.tensor(number, device=accelerator.device), "mean"))


def _to(values: Any, accelerator: Accelerator) -> Any:
    if isinstance(values, dict):
        return {name: _to(value, accelerator) for name, value in values.items()}
    return values.to(accelerator.device)
