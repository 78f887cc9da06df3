"""What the processes of a run do together: gradients, clocks, random numbers of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from train.precision import MasterAdamW


def descend(accelerator: Accelerator, loss: Tensor, lr: float, *optimizers: MasterAdamW) -> float:
    """One update of each optimizer at the rate ``lr``, from the loss () of all processes.

    Returns:
        The norm of the first one's gradient, before clipping.
    """
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    for optimizer in optimizers:
        share_gradients(accelerator, optimizer)
    return [optimizer.step(lr) for optimizer in optimizers][0]


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


def draw_apart(accelerator: Accelerator, seed: int, step: int) -> None:
    """Gives each process but the first random numbers of its own for this step.

    They depend on nothing else, as a checkpoint holds the first one's generators alone: a resumed run draws what one
    left alone would.
    """
    if accelerator.process_index:
        torch.manual_seed(int(np.random.SeedSequence((seed, accelerator.process_index, step)).generate_state(1)[0]))


def to_device(values: Any, device: torch.device) -> Any:
    """Dicts and tuples of tensors, or of what else has ``to(device)``, on a device."""
    if isinstance(values, dict):
        return {name: to_device(value, device) for name, value in values.items()}
    if isinstance(values, (tuple, list)):
        return tuple(to_device(value, device) for value in values)
    return values.to(device)
