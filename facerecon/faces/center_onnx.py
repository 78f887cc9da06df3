"""The face detector's network as ONNX, and onnxruntime in place of torch where somebody prefers it.

Optional: ``pip install onnx onnxruntime``. Any size of photo, any number at a time.
"""

from __future__ import annotations

import copy
import importlib.util
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from facerecon.faces.center import CenterDetector, letterbox
from facerecon.faces.center_network import CenterNetwork, patches_of
from facerecon.faces.views import ViewingDetector
from facerecon.images import atomic_write
from facerecon.types import FaceReconError, Image

OPSET = 18


class _FromPhotos(nn.Module):
    """The network with its input's preparation inside."""

    def __init__(self, network: CenterNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(patches_of(images))


def export_onnx(network: CenterNetwork, path: str | Path) -> Path:
    """Writes a network as one ONNX file, whole or not at all.

    Its input is ``images`` (B, H, W, 3) uint8 RGB, H and W multiples of 64; its output ``cells`` (B, N, 15)
    float32, which :func:`facerecon.faces.center_network.decode` turns into boxes and points.

    Args:
        network: on any device, in any dtype; it is left as it is, a float32 copy is exported.

    Raises:
        FaceReconError: onnx is not installed.
    """
    _need("onnx")
    whole = _FromPhotos(copy.deepcopy(network).float().cpu().eval())
    example = torch.zeros(1, 128, 192, 3, dtype=torch.uint8)
    path = Path(path)
    with atomic_write(path) as part, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, on shapes that it follows all the same
        torch.onnx.export(
            whole, (example,), str(part), dynamo=False, opset_version=OPSET, input_names=["images"], output_names=["cells"],
            dynamic_axes={"images": {0: "batch", 1: "height", 2: "width"}, "cells": {0: "batch", 1: "cell"}},
        )  # fmt: skip
    return path


class OnnxCenterDetector(CenterDetector):
    """:class:`CenterDetector` on onnxruntime, CPU.

    Args:
        path: a file of :func:`export_onnx`.
        threshold: as for ``create_detector``.
        min_face: as for ``create_detector``.

    Raises:
        FaceReconError: onnxruntime is not installed, or the file is no face detector.
    """

    def __init__(self, path: str | Path, threshold: float = 0.85, min_face: int = 20) -> None:
        ViewingDetector.__init__(self, threshold, min_face)
        self._session = _session(path)

    def forward(self, pictures: Sequence[Image], height: int, width: int) -> Tensor:
        """(B, N, 15) of pictures in a letterbox."""
        return torch.from_numpy(self._session.run(None, {"images": letterbox(pictures, height, width)})[0])


def largest_difference(network: CenterNetwork, path: str | Path, seed: int = 0) -> float:
    """Largest difference between the cells of a float32 network and those of its ONNX file, over random photos of two sizes."""
    session, rng = _session(path), np.random.default_rng(seed)
    truth, worst = _FromPhotos(copy.deepcopy(network).float().cpu().eval()), 0.0
    for shape in ((2, 64, 128, 3), (1, 192, 64, 3)):
        images = rng.integers(0, 256, shape, dtype=np.uint8)
        with torch.inference_mode():
            cells = truth(torch.from_numpy(images)).numpy()
        worst = max(worst, float(np.abs(cells - session.run(None, {"images": images})[0]).max()))
    return worst


def _session(path: str | Path):  # noqa: ANN202 (onnxruntime is optional)
    _need("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise FaceReconError(f"{Path(path).name} cannot be run by onnxruntime: {error}") from error
    if [i.name for i in session.get_inputs()] != ["images"]:
        raise FaceReconError(f"{Path(path).name} is no face detector.")
    return session


def _need(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise FaceReconError(f"This needs {package}: pip install onnx onnxruntime.")
