"""The face detector's network as ONNX, and onnxruntime in place of torch where somebody prefers it.

Optional: ``pip install onnx onnxruntime``. Any size of photo, any number at a time.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from facerecon.faces.center import CenterDetector
from facerecon.faces.center_network import CenterNetwork, patches_of
from facerecon.faces.center_pictures import letterbox
from facerecon.faces.views import ViewingDetector
from facerecon.onnx_files import open_session, write_onnx
from facerecon.types import Image

_KIND = ["images"], "face detector"


class _FromPhotos(nn.Module):
    """The network with its input's preparation inside."""

    def __init__(self, network: CenterNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(patches_of(images))


def export_onnx(network: CenterNetwork, path: str | Path) -> Path:
    """Writes a network as one ONNX file, whole or not at all.

    Its input is ``images`` (B, H, W, 3) uint8 RGB, H and W multiples of 8; its output ``cells`` (B, N, 15)
    float32, which :func:`facerecon.faces.center_network.decode` turns into boxes and points.

    Args:
        network: on any device, in any dtype; it is left as it is, a float32 copy is exported.

    Raises:
        FaceReconError: onnx is not installed.
    """
    whole = _FromPhotos(copy.deepcopy(network).float().cpu().eval())
    example = torch.zeros(1, 128, 192, 3, dtype=torch.uint8)
    axes = {"images": {0: "batch", 1: "height", 2: "width"}, "cells": {0: "batch", 1: "cell"}}
    return write_onnx(whole, (example,), path, input_names=["images"], output_names=["cells"], dynamic_axes=axes)


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
        self._session = open_session(path, *_KIND)

    def forward(self, pictures: Sequence[Image], height: int, width: int) -> Tensor:
        """(B, N, 15) of pictures in a letterbox."""
        return torch.from_numpy(self._session.run(None, {"images": letterbox(pictures, height, width)})[0])


def largest_difference(network: CenterNetwork, path: str | Path, seed: int = 0) -> float:
    """Largest difference between the cells of a float32 network and those of its ONNX file, over random photos of two sizes."""
    session, rng = open_session(path, *_KIND), np.random.default_rng(seed)
    truth, worst = _FromPhotos(copy.deepcopy(network).float().cpu().eval()), 0.0
    for shape in ((2, 64, 128, 3), (1, 200, 72, 3)):
        images = rng.integers(0, 256, shape, dtype=np.uint8)
        with torch.inference_mode():
            cells = truth(torch.from_numpy(images)).numpy()
        worst = max(worst, float(np.abs(cells - session.run(None, {"images": images})[0]).max()))
    return worst
