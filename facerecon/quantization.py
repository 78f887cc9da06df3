"""How networks are stored small: weights as whole numbers of 8 or of 6 bits, with a scale for each output.

Rounding to nearest with one scale a row, as in Krishnamoorthi, "Quantizing deep convolutional networks for efficient
inference", 2018. Networks run in floating point; only their files are small.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_SCALE, _SHAPE = ".scale", ".shape"
_BYTE, _SIX = 127, 31  # the largest whole numbers


def compress(state: dict[str, Tensor], coarse: Sequence[str] = ()) -> dict[str, Tensor]:
    """A network's float32 state as it is stored: convolutions and matrices in 8 bits, the rest float16.

    Args:
        state: tensors by name.
        coarse: beginnings of the names whose convolutions and matrices get 6 bits.
    """
    stored = {}
    for name, value in state.items():
        if value.ndim not in (2, 4):
            stored[name] = value.half().contiguous() if value.is_floating_point() else value
            continue
        small = name.startswith(tuple(coarse))
        scale = value.abs().amax(tuple(range(1, value.ndim)), keepdim=True).clamp_min(1e-12) / (_SIX if small else _BYTE)
        whole = (value / scale).round().to(torch.int8).contiguous()
        stored[name] = pack(whole) if small else whole
        stored[name + _SCALE] = scale.float()
        if small:
            stored[name + _SHAPE] = torch.tensor(value.shape, dtype=torch.int32)
    return stored


def expand(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """The float32 state back from :func:`compress`."""
    state = {}
    for name, value in stored.items():
        if name.endswith((_SCALE, _SHAPE)):
            continue
        if name + _SHAPE in stored:
            value = unpack(value, stored[name + _SHAPE].tolist())
        state[name] = value.float() * stored[name + _SCALE] if name + _SCALE in stored else value.float()
    return state


def pack(values: Tensor) -> Tensor:
    """int8 of any shape in [-31, 31] to uint8 (3 n / 4, rounded up to whole groups,): four numbers in three bytes."""
    flat = (values.flatten().int() + _SIX).to(torch.int32)
    flat = torch.nn.functional.pad(flat, (0, -len(flat) % 4)).view(-1, 4)
    whole = flat[:, 0] | flat[:, 1] << 6 | flat[:, 2] << 12 | flat[:, 3] << 18
    return torch.stack([whole >> shift & 255 for shift in (0, 8, 16)], 1).flatten().to(torch.uint8)


def unpack(packed: Tensor, shape: Sequence[int]) -> Tensor:
    """The inverse of :func:`pack`, int8 of ``shape``."""
    parts = packed.view(-1, 3).int()
    whole = parts[:, 0] | parts[:, 1] << 8 | parts[:, 2] << 16
    flat = torch.stack([whole >> shift & 63 for shift in (0, 6, 12, 18)], 1).flatten() - _SIX
    return flat[: torch.Size(shape).numel()].to(torch.int8).view(*shape)
