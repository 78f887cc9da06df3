"""Gives monochrome photos the colours they may have had.

A guess, learned from faces: skin, lips and hair come out likely. Away from faces little is known, and colours fade. As in Zhang et
al., "Colorful Image Colorization", ECCV 2016, luma is the photo's own and only chroma is predicted.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from facerecon.checkpoints import load_network
from facerecon.devices import resolve_device, to_fast
from facerecon.restoration.colour import from_luma_chroma, luma_chroma
from facerecon.restoration.unet import ResidualUNet
from facerecon.types import Face, Image

FACE_SIDE = 96  # pixels that a face's box has in the picture that is coloured
LONGEST = 640  # side of that picture
VIVID = 1.15  # the mean of all colours a thing may have is paler than any of them
# Sizes of a face from its centre: colours are whole up to the first, and from the second on they have this share.
NEAR, FAR, FAR_SHARE = 0.8, 1.5, 0.3


@dataclass(frozen=True)
class ColourConfig:
    """Size of the colouring network: see :class:`ResidualUNet`."""

    patch: int = 4
    channels: tuple[int, ...] = (32, 64, 96, 128)
    blocks: tuple[int, ...] = (1, 2, 2, 2)

    def to_dict(self) -> dict:
        """Plain values, for a checkpoint's metadata."""
        return asdict(self)


COLOUR_CONFIGS = {
    "tiny": ColourConfig(channels=(16, 16), blocks=(1, 1)),
    "small": ColourConfig(),
    "paper": ColourConfig(2, (64, 128, 256, 512), (2, 2, 4, 4)),
}


class ColourNetwork(ResidualUNet):
    """Luma to chroma."""

    def __init__(self, config: ColourConfig) -> None:
        super().__init__(1, 2, config.patch, config.channels, config.blocks)
        self.config = config

    def forward(self, luma: Tensor) -> Tensor:
        """(B, 1, H, W) in [0, 1] to Cb and Cr (B, 2, H, W) float32, zero where there is no colour, within about 0.5."""
        return super().forward(luma * 2 - 1) / 4


class Colouriser:
    """Monochrome photos in, coloured photos out.

    Args:
        network: on its device and in its dtype.
    """

    def __init__(self, network: ColourNetwork) -> None:
        self.network = network.eval()
        self.device = network.stem.weight.device

    @classmethod
    def from_pretrained(cls, device: str = "auto", path: Path | None = None) -> Colouriser:
        """Loads ``weights/colour`` or a safetensors file.

        Raises:
            CheckpointError: no checkpoint was found, or it does not fit.
        """
        where = resolve_device(device)
        network = load_network("colour", lambda values: ColourNetwork(ColourConfig(**values)), path)
        return cls(to_fast(network, where))

    def colour(self, photo: Image, faces: list[Face]) -> Image:
        """A photo (H, W, 3) uint8 with its own luma and guessed colours; the largest of ``faces`` sets the scale."""
        luma = luma_chroma(photo)[..., 0]
        height, width = luma.shape
        wanted = FACE_SIDE / max((face.size for face in faces), default=max(height, width) / 2)
        scale = min(wanted, LONGEST / max(height, width))
        small = cv2.resize(luma, (max(round(width * scale), 1), max(round(height * scale), 1)), interpolation=cv2.INTER_AREA)
        chroma = cv2.resize(self._chroma(small), (width, height), interpolation=cv2.INTER_CUBIC)
        chroma *= VIVID * _closeness(height, width, faces)[..., None]
        return from_luma_chroma(np.concatenate((luma[..., None], chroma), -1))

    @torch.inference_mode()
    def _chroma(self, luma: np.ndarray) -> np.ndarray:
        height, width = luma.shape
        stride = self.network.stride
        padded = np.pad(luma, ((0, -height % stride), (0, -width % stride)), mode="edge")
        chroma = self.network(torch.from_numpy(padded)[None, None].to(self.device) / 255)[0]
        return chroma.permute(1, 2, 0).cpu().numpy()[:height, :width] * 255


def _closeness(height: int, width: int, faces: list[Face]) -> np.ndarray:
    """(H, W) float32: 1 at faces, ``FAR_SHARE`` far from all of them; 1 everywhere where there are none."""
    if not faces:
        return np.ones((height, width), np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    distances = [np.hypot(x - face.box[0::2].mean(), y - face.box[1::2].mean()) / face.size for face in faces]
    t = np.clip((FAR - np.min(distances, axis=0)) / (FAR - NEAR), 0, 1)
    return (FAR_SHARE + (1 - FAR_SHARE) * t * t * (3 - 2 * t)).astype(np.float32)
