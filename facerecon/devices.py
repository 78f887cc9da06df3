"""Which device, and which number type is fastest on it."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from facerecon.types import FaceReconError

Network = TypeVar("Network", bound=nn.Module)


def resolve_device(name: str = "auto") -> torch.device:
    """``"auto"`` takes a GPU where there is one; otherwise a torch device name.

    Raises:
        FaceReconError: the name is unknown or that device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise FaceReconError(f"There is no device called {name!r}: use auto, cpu, cuda or cuda:N.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise FaceReconError(f"The device {name!r} was asked for, but torch sees {torch.cuda.device_count()} GPUs.")
    return device


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where convolutions gain by it (GPUs, CPUs with AMX), float32 elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "cpu" and torch.cpu._is_amx_tile_supported():
        return torch.bfloat16
    return torch.float32


def to_fast(network: Network, device: torch.device) -> Network:
    """The network on a device, in its fastest number type and, as convolutions like it, channels-last."""
    return network.to(device, fast_dtype(device)).to(memory_format=torch.channels_last)
