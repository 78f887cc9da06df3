"""Fine texture for faces that were cleaned: pores, stubble and hairs that a photo lost, drawn at random.

What has the least squared error is the mean of all faces that fit a photo, and a mean has no pores: it looks like wax.
How strong the missing detail is, at each pixel and in bands of several scales and directions, is learned as in Kendall
and Gal, "What Uncertainties Do We Need in Bayesian Deep Learning for Computer Vision?", NeurIPS 2017; noise of that
strength is drawn in each band, as in Heeger and Bergen, "Pyramid-based Texture Analysis/Synthesis", SIGGRAPH 1995.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.checkpoints import find_optional, load_network
from facerecon.devices import resolve_device, to_fast
from facerecon.restoration.unet import ResidualUNet
from facerecon.types import Image

NAME = "texture"
SCALES, DIRECTIONS, RADIUS = (0.7, 1.4), 4, 5  # the bands' sigmas, pixels; how many directions each; of the filters
LENGTH = 1.6  # of a filter along its stripes, in sigmas across
SHARING = 3  # rounds in which bands share what is drawn
TILE = 512  # pixels after which the noise repeats itself
TYPICAL = 2.0  # standard deviation before training, grey levels
STRONGEST = 5.0  # in a band, grey levels: where more is missing it was no texture


@dataclass(frozen=True)
class TextureConfig:
    """Size of the texture network: see :class:`ResidualUNet`."""

    patch: int = 2
    channels: tuple[int, ...] = (24, 48, 72)
    blocks: tuple[int, ...] = (1, 1, 2)

    def to_dict(self) -> dict:
        """Plain values, for a checkpoint's metadata."""
        return asdict(self)


TEXTURE_CONFIGS = {
    "tiny": TextureConfig(channels=(8, 8), blocks=(1, 1)),
    "small": TextureConfig(),
    "paper": TextureConfig(channels=(64, 128, 256), blocks=(2, 2, 4)),
}


class TextureNetwork(ResidualUNet):
    """A cleaned face to how strong the detail is that it misses."""

    def __init__(self, config: TextureConfig) -> None:
        super().__init__(3, len(SCALES) * DIRECTIONS, config.patch, config.channels, config.blocks)
        self.config = config

    def forward(self, cleaned: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to the standard deviation in each band (B, bands, H, W), grey levels, float32."""
        return TYPICAL * super().forward(cleaned * 2 - 1).clamp(-4, 4).exp()


def bands(values: Tensor) -> Tensor:
    """(B, 1, H, W) to (B, bands, H, W) float32, in the same unit."""
    return F.conv2d(F.pad(values.float(), (RADIUS,) * 4, mode="reflect"), band_filters().to(values.device))


def draw(deviation: Tensor) -> Tensor:
    """Texture (B, 1, H, W) in grey levels whose bands are about as strong as ``deviation`` (B, bands, H, W) says."""
    height, width = deviation.shape[2:]
    noise, seen = (part.to(deviation.device) for part in band_noise())
    noise = noise.repeat(1, -(-height // TILE), -(-width // TILE))[:, :height, :width]
    wanted = deviation.clamp(max=STRONGEST).square().flatten(2)
    # Each band's noise is seen by the others too: shares that stay positive, found as by Richardson and Lucy.
    mix = seen / seen.sum(1, keepdim=True)
    own = wanted / seen.sum(1, keepdim=True)
    for _ in range(SHARING):
        own = own * (mix @ (wanted / (seen @ own)))
    return (own.sqrt().unflatten(2, (height, width)) * noise).sum(1, keepdim=True)


@lru_cache(maxsize=1)
def band_noise() -> tuple[Tensor, Tensor]:
    """The same noise each time, drawn in each band: (bands, ``TILE``, ``TILE``) that goes on seamlessly; and how much of each
    band's strength (columns) every band (rows) sees, (bands, bands)."""
    filters = band_filters()
    noise = torch.randn((1, len(filters), TILE, TILE), generator=torch.Generator().manual_seed(0))
    noise = F.conv2d(F.pad(noise, (RADIUS,) * 4, mode="circular"), filters, groups=len(filters))
    return noise[0], F.conv2d(F.pad(filters, (2 * RADIUS,) * 4), filters).square().sum((2, 3))


@lru_cache(maxsize=1)
def band_filters() -> Tensor:
    """Second derivatives of Gaussians (bands, 1, S, S): mean zero, square sum one."""
    y, x = torch.meshgrid(*[torch.arange(-RADIUS, RADIUS + 1).float()] * 2, indexing="ij")
    filters = []
    for sigma in SCALES:
        for k in range(DIRECTIONS):
            angle = math.pi * k / DIRECTIONS
            across = (x * math.cos(angle) + y * math.sin(angle)) / sigma
            along = (y * math.cos(angle) - x * math.sin(angle)) / (LENGTH * sigma)
            envelope = torch.exp(-(across**2 + along**2) / 2)
            kernel = (across**2 - 1) * envelope
            kernel = kernel - envelope * kernel.sum() / envelope.sum()
            filters.append(kernel / kernel.square().sum().sqrt())
    return torch.stack(filters)[:, None]


class TextureSynthesis:
    """Cleaned crops in, the same with texture out.

    Args:
        network: on its device and in its dtype.
    """

    def __init__(self, network: TextureNetwork) -> None:
        self.network = network.eval()
        self.device = network.stem.weight.device

    @classmethod
    def from_pretrained(cls, device: str = "auto", path: Path | None = None) -> TextureSynthesis:
        """Loads ``weights/texture`` or a safetensors file.

        Raises:
            CheckpointError: no checkpoint was found, or it does not fit.
        """
        where = resolve_device(device)
        network = load_network(NAME, lambda values: TextureNetwork(TextureConfig(**values)), path)
        return cls(to_fast(network, where))

    @classmethod
    def shipped(cls, device: str = "auto") -> TextureSynthesis | None:
        """The shipped network, or None where there are no weights."""
        path = find_optional(NAME)
        return None if path is None else cls.from_pretrained(device, path)

    @torch.inference_mode()
    def add(self, crop: Image, strength: float = 1.0) -> Image:
        """A crop (H, W, 3) uint8 with texture of ``strength`` times what it misses; the same each time."""
        height, width = crop.shape[:2]
        stride = self.network.stride
        padded = np.pad(crop, ((0, -height % stride), (0, -width % stride), (0, 0)), mode="edge")
        pixels = torch.from_numpy(padded).to(self.device).permute(2, 0, 1)[None].float() / 255
        texture = draw(self.network(pixels))[0, 0, :height, :width]
        return np.clip(crop + strength * texture.cpu().numpy()[..., None], 0, 255).round().astype(np.uint8)
