"""Restores aligned crops of faces with the shipped network."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from facerecon.checkpoints import load_network
from facerecon.devices import fast_dtype, resolve_device
from facerecon.faces.detail import kept_detail
from facerecon.restoration.codeformer import CodeFormer
from facerecon.restoration.colour import keep_colour, tone, toning
from facerecon.restoration.configuration import RestorationConfig
from facerecon.types import FaceReconError, Image

BATCH = 8


class FaceRestorer:
    """Degraded crops in, restored crops out.

    Args:
        network: the restoration network, on its device and in its dtype.
    """

    def __init__(self, network: CodeFormer) -> None:
        self.network = network.eval()
        parameter = next(network.parameters())
        self.device = parameter.device

    @classmethod
    def from_pretrained(cls, device: str = "auto", path: Path | None = None) -> FaceRestorer:
        """Loads ``weights/restoration`` or a safetensors file.

        Raises:
            FaceReconError: no checkpoint was found, or it does not fit.
        """
        where = resolve_device(device)
        network = load_network("restoration", lambda values: CodeFormer(RestorationConfig.from_dict(values)), path)
        network = network.to(where, fast_dtype(where)).to(memory_format=torch.channels_last)
        network.codebook.float()
        return cls(network)

    @property
    def size(self) -> int:
        """Side of the crops the network was trained on, pixels."""
        return self.network.config.image_size

    def restore(self, crops: list[Image], fidelity: float = 0.7) -> list[Image]:
        """Restores crops of the ``"restoration"`` template.

        The network sees every crop at its own size. What it changes there is enlarged and added
        to a larger crop, whose finer detail stays wherever the network kept the finest that it
        saw. Slowly varying colour follows the crop, and a monochrome or toned one stays so.

        Args:
            crops: square (S, S, 3) uint8 images of any sizes.
            fidelity: 0 generates from codes alone, 1 keeps to the pixels.

        Returns:
            Restored crops of the same sizes.

        Raises:
            FaceReconError: fidelity is outside [0, 1].
        """
        if not 0.0 <= fidelity <= 1.0:
            raise FaceReconError(f"Fidelity is between 0 and 1; {fidelity} is not.")
        small = [resize(c, self.size) for c in crops]
        restored = []
        for start in range(0, len(small), BATCH):
            restored += self._run(small[start : start + BATCH], fidelity)
        return [_finished(c, s, r, fidelity) for c, s, r in zip(crops, small, restored)]

    @torch.inference_mode()
    def _run(self, crops: list[Image], fidelity: float) -> list[Image]:
        batch = torch.from_numpy(np.stack(crops)).to(self.device).permute(0, 3, 1, 2).float() / 255
        output: Tensor = self.network(batch.contiguous(memory_format=torch.channels_last), fidelity).clamp(0, 1)
        return list((output.permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy())


def resize(image: Image, side: int) -> Image:
    """A square image at another size: averaged when shrinking, bicubic when growing."""
    if image.shape[0] == side:
        return image
    kernel = cv2.INTER_AREA if image.shape[0] > side else cv2.INTER_CUBIC
    return cv2.resize(image, (side, side), interpolation=kernel)


def _finished(crop: Image, small: Image, restored: Image, fidelity: float) -> Image:
    restored = keep_colour(small, restored, fidelity)
    restored = restored if crop.shape == small.shape else _with_detail(crop, small, restored)
    tones = toning(crop)
    return restored if tones is None else tone(restored, tones)


def _with_detail(crop: Image, small: Image, restored: Image) -> Image:
    """The change that the network made at its own size, on a crop of another size."""
    side = crop.shape[0]
    if side < small.shape[0]:
        return resize(restored, side)
    grown, coarse = resize(restored, side).astype(np.float32), resize(small, side)
    kept = cv2.resize(kept_detail(small, restored), (side, side), interpolation=cv2.INTER_LINEAR)[..., None]
    return np.clip(grown + kept * (crop - coarse.astype(np.float32)), 0, 255).round().astype(np.uint8)
