"""The loop that the stages share: gradients over processes, learning rate, progress line, checkpoints."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from accelerate import Accelerator
from torch import Tensor

from facerecon.types import FaceReconError
from train.checkpointing import load_checkpoint, save_checkpoint
from train.precision import MasterAdamW
from train.processes import agreed, descend, draw_apart, to_device
from train.progress import RunLog
from train.schedule import Schedule

Weights = TypeVar("Weights")
Config = TypeVar("Config")

SMOOTHING = 0.95  # of the numbers on the progress line


class Stateful(Protocol):
    """What a checkpoint can hold: an optimizer, a module, or whatever else changes from step to step."""

    def state_dict(self) -> Any:
        """Everything needed to go on with the same numbers."""

    def load_state_dict(self, state: Any) -> Any:
        """Takes over what :meth:`state_dict` gave."""


def add_options(parser: argparse.ArgumentParser, log_every: int = 50, save_seconds: float = 120) -> None:
    """The options that this loop and the schedule of a stage have."""
    parser.add_argument("--resume", help="'latest' or a checkpoint folder")
    parser.add_argument("--steps", type=int, help="length of the schedule, instead of the config's")
    parser.add_argument("--stop-at", type=int, help="stop after this step, the schedule unchanged")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log-every", type=int, default=log_every)
    parser.add_argument("--save-seconds", type=float, default=save_seconds)


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


def configured(config: Config, args: argparse.Namespace) -> Config:
    """A config, a dataclass, with what options of the same names say where they are given."""
    given = {field.name: value for field in fields(config) if (value := getattr(args, field.name, None)) is not None}
    return replace(config, **given)


class Run:
    """A run of a stage, new or gone on with, in one of the processes that share it.

    Args:
        accelerator: knows the other processes.
        output: folder of the checkpoints and curves; the main process alone writes there.
        schedule: of the whole run.
        parts: what checkpoints hold, by name; gradients are for the ``MasterAdamW`` among them.
        args: of :func:`add_options`.

    Attributes:
        first, last: the steps to take are ``first`` to ``last - 1``.
        done: steps taken so far, earlier parts of the run included.
        over: share of the run that is over, 0 to 1, as of the step that is being taken.

    Raises:
        FaceReconError: see ``load_checkpoint``; or the checkpoint lacks one of the parts.
    """

    def __init__(
        self, accelerator: Accelerator, output: Path, schedule: Schedule, parts: Mapping[str, Stateful], args: argparse.Namespace
    ) -> None:
        self.accelerator, self.output, self.schedule, self.parts, self.args = accelerator, output, schedule, parts, args
        self.optimizers = [part for part in parts.values() if isinstance(part, MasterAdamW)]
        state = load_checkpoint(output, args.resume)
        accelerator.wait_for_everyone()  # else the main process may prune what another still reads
        if state and (missing := parts.keys() - state.keys()):
            raise FaceReconError(f"The checkpoint is of another kind of run: it holds no {', '.join(sorted(missing))}.")
        for name, part in parts.items() if state else ():
            part.load_state_dict(state[name])
        self.first = self.done = state["step"] if state else 0
        self.last = min(schedule.steps, args.stop_at or schedule.steps)
        self.over = 0.0
        self._before = state.get("seconds", 0.0) if state else 0.0
        self._began = time.monotonic()

    @property
    def place(self) -> tuple[int, int]:
        """The number of this process, and of all of them."""
        return self.accelerator.process_index, self.accelerator.num_processes

    @property
    def seconds(self) -> float:
        """Of training so far, pauses between its parts left out."""
        return time.monotonic() - self._began + self._before

    def optimise(
        self,
        batches: Iterable[Any],
        losses: Callable[[Any, int], tuple[Tensor, Mapping[str, float | Tensor]]],
        write: Callable[[], Any] | None = None,
    ) -> None:
        """Takes a step for each batch; leaves a checkpoint at the end, and every ``--save-seconds``.

        Args:
            batches: from step ``first`` on, of tensors and what else has ``to(device)``, or dicts and tuples of such.
            losses: of a batch that lies on the device, and the number of its step: what to descend on, and what to tell.
            write: what the main process does after each checkpoint, such as writing the averaged weights; it draws no random numbers.
        """
        self._began = saved = time.monotonic()
        smooth: dict[str, float] = {}
        log = RunLog(self.output, self.first, self.accelerator.is_main_process)
        for step, batch in enumerate(batches, start=self.first):
            self.over = self._share(step)
            if self.over >= 1:
                break
            draw_apart(self.accelerator, self.args.seed, step)
            loss, logs = losses(to_device(batch, self.accelerator.device), step)
            descend(self.accelerator, loss, self.schedule.rate(step, self.over), *self.optimizers)
            self.done = step + 1
            told = {name: value.item() if isinstance(value, Tensor) else value for name, value in logs.items()}
            smooth = {k: smooth.get(k, v) * SMOOTHING + v * (1 - SMOOTHING) for k, v in told.items()}
            if step % self.args.log_every == 0:
                rate = (self.done - self.first) / (time.monotonic() - self._began)
                log.tell(step, f"of {self.schedule.steps} ({self.over:.1%}), {rate:.2f} steps/s", {"loss": loss.item(), **smooth})
            if time.monotonic() - saved > self.args.save_seconds:
                self._save(write)
                saved = time.monotonic()
        log.close()
        self._save(write)
        self.accelerator.wait_for_everyone()

    def _share(self, step: int) -> float:
        # Clocks differ: without a common one some processes would take a step more, and wait for the others for ever.
        return self.schedule.share(step, agreed(self.accelerator, self.seconds) if self.schedule.minutes else 0.0)

    def _save(self, write: Callable[[], Any] | None) -> None:
        if self.accelerator.is_main_process:
            state = {name: part.state_dict() for name, part in self.parts.items()}
            save_checkpoint(self.output, self.done, {**state, "seconds": self.seconds})
            if write:
                write()
