"""Which device, which number type is fastest on it, and whose threads work."""

from __future__ import annotations

from functools import cache
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor, nn

from facerecon.types import FaceReconError

Network = TypeVar("Network", bound=nn.Module)

_BFLOAT16_UNITS = "_is_amx_tile_supported", "_is_avx512_bf16_supported"  # of torch.cpu


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
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise FaceReconError(f"The device {name!r} was asked for, but torch sees no Apple GPU.")
    return device


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where convolutions gain by it (GPUs, CPUs with AMX or AVX512-BF16), float32 elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "cpu" and any(getattr(torch.cpu, probe, bool)() for probe in _BFLOAT16_UNITS):
        return torch.bfloat16
    return torch.float32


def to_fast(network: Network, device: torch.device, dtype: torch.dtype | None = None) -> Network:
    """The network on a device, in its fastest number type or another one and, as convolutions like it, channels-last.

    It is to be used as it is from then on, not trained.
    """
    network = network.to(device, dtype or fast_dtype(device), memory_format=torch.channels_last)
    if _REORDER and _CONVOLVE and device.type == "cpu":
        for layer in network.modules():
            if type(layer) is nn.Conv2d and layer.weight.dtype == torch.bfloat16 and layer.padding_mode == "zeros":
                layer.__class__ = _OrderedConv2d
    return network


# oneDNN as `torch.compile` calls it, which brings the weights into its own order once instead of at every call.
_REORDER = getattr(torch._C._nn, "mkldnn_reorder_conv2d_weight", None)
_CONVOLVE = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)
_MOST_ORDERS = 8  # of a layer's weights that are kept: every shape of picture may want its own


class _OrderedConv2d(nn.Conv2d):
    """A convolution that keeps its weights in the order that the CPU likes: for single small pictures that is most of the time."""

    _ordered: dict[torch.Size, Tensor] | None = None  # by shape of the picture, the one used last at the end

    def forward(self, x: Tensor) -> Tensor:
        """As ``nn.Conv2d``."""
        if x.dtype != self.weight.dtype or not torch.is_inference_mode_enabled():
            return super().forward(x)
        where = self.padding, self.stride, self.dilation, self.groups
        return _CONVOLVE(x, self._weights_for(x.shape, where), self.bias, *where, "none", [], "")

    def _weights_for(self, shape: torch.Size, where: tuple) -> Tensor:
        """The weights in the order for pictures of a shape: in another one they would be brought to it at every call."""
        if self._ordered is None:
            self._ordered = {}
        ordered = self._ordered.pop(shape, None)
        if ordered is None:
            ordered = _REORDER(self.weight.to_mkldnn(), *where, list(shape))
        self._ordered[shape] = ordered
        if len(self._ordered) > _MOST_ORDERS:
            self._ordered.pop(next(iter(self._ordered)), None)
        return ordered

    def __getstate__(self) -> dict:
        """Without what cannot be copied."""
        return {**self.__dict__, "_ordered": None}


@cache
def leave_cores_to_torch() -> None:
    """One thread for the BLAS of numpy, of scipy and of OpenCV, of those that are loaded.

    Theirs and torch's wait for work without letting go of the cores, each in the other's way: a head of which scipy solves
    some small systems took four times as long on two cores.
    """
    for library in ThreadpoolController().lib_controllers:
        if library.internal_api == "openblas" and library.threading_layer == "pthreads":
            library.set_num_threads(1)
