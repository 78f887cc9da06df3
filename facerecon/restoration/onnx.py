"""The restoration network as ONNX, and onnxruntime in place of torch where somebody prefers it.

Optional: ``pip install onnx onnxruntime``. On CPUs with AMX torch in bfloat16 is faster (docs/BENCHMARKS.md);
onnxruntime is for machines without torch's fast paths, and other languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from facerecon.faces.align import resize
from facerecon.onnx_files import open_session, write_onnx
from facerecon.restoration.codeformer import CodeFormer
from facerecon.restoration.restorer import FaceRestorer, with_detail
from facerecon.types import Demographics, FaceReconError, Image

_KIND = ["image", "fidelity"], "restoration network"


def export_onnx(network: CodeFormer, path: str | Path) -> Path:
    """Writes a network as one ONNX file, whole or not at all.

    Its inputs are ``image`` (1, 3, S, S) float32 in [0, 1] and ``fidelity`` (1,) float32; its output is
    ``restored`` (1, 3, S, S) float32, not clamped. One crop at a time: on a CPU a batch gains nothing.

    Args:
        network: on any device, in any dtype; it is left as it is, a float32 copy is exported.

    Raises:
        FaceReconError: onnx is not installed.
    """
    config = network.config
    copy = CodeFormer(config)
    copy.load_state_dict({key: value.detach().float().cpu() for key, value in network.state_dict().items()})
    example = torch.rand(1, 3, config.image_size, config.image_size), torch.tensor([0.7])
    return write_onnx(copy, example, path, input_names=["image", "fidelity"], output_names=["restored"])


def largest_difference(network: CodeFormer, path: str | Path, count: int = 4, seed: int = 0) -> float:
    """Largest difference, in grey levels, between a float32 network and its ONNX file over random crops and fidelities."""
    session, size, generator = open_session(path, *_KIND), network.config.image_size, torch.Generator().manual_seed(seed)
    worst = 0.0
    for i in range(count):
        # Smooth as crops are: on white noise two codes tie, and rounding would choose between them.
        image = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8, generator=generator), size, mode="bicubic").clamp(0, 1)
        fidelity = torch.tensor([i / max(count - 1, 1)])
        with torch.inference_mode():
            truth = network(image, fidelity).numpy()
        restored = session.run(None, {"image": image.numpy(), "fidelity": fidelity.numpy()})[0]
        worst = max(worst, float(np.abs(restored - truth).max()) * 255)
    return worst


class OnnxFaceRestorer(FaceRestorer):
    """:class:`FaceRestorer` on onnxruntime, CPU; it sees all crops at the size of the network's training.

    Args:
        path: a file of :func:`export_onnx`.

    Raises:
        FaceReconError: onnxruntime is not installed, or the file is no restoration network.
    """

    def __init__(self, path: str | Path) -> None:
        self.session = open_session(path, *_KIND)
        self.device, self.texture = torch.device("cpu"), None

    @property
    def size(self) -> int:
        """Side of the crops the network was trained on, pixels."""
        return int(self.session.get_inputs()[0].shape[-1])

    def _restored(self, crops: list[Image], fidelity: float, people: Sequence[Demographics | None] | None) -> list[Image]:
        if people is not None:
            raise FaceReconError("Restoration through ONNX is not guided by what is known of people; use torch for that.")
        weight, outputs = np.array([fidelity], np.float32), []
        for crop in crops:
            seen = resize(crop, self.size)
            image = np.ascontiguousarray(seen.transpose(2, 0, 1)[None].astype(np.float32) / 255)
            restored = self.session.run(None, {"image": image, "fidelity": weight})[0][0]
            outputs.append(with_detail(crop, seen, (restored.transpose(1, 2, 0).clip(0, 1) * 255).round().astype(np.uint8)))
        return outputs
