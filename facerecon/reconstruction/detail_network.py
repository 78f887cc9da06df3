"""Displacements from the shading of a face: the network, and how light makes a displacement visible.

As in DECA (Feng et al., "Learning an Animatable Detailed 3D Face Model from In-The-Wild Images",
SIGGRAPH 2021) displacements live in UV, along the normals, and depend on the expression. DECA draws
them from a code of the whole face; here a network looks at each place's own shading, next to how the
light there would answer to a slope. Light is the harmonics fitted to the photo; what lies in a groove also
sees less of it, as in Glencross et al., "A Perceptually Validated Model for Surface Depth Hallucination", 2008.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.rendering.shading import sh_quadratic
from facerecon.restoration.unet import ResidualUNet

LIMIT_MM = 2.0
CHANNELS = 13  # of ``look``
BAND = 7.0  # texels: slower changes of brightness are left to the coarse head
CAVITY = 0.8  # log of brightness lost in a groove, for each millimetre of depth
_POOL = 4
_DARKEST = 0.12  # shade, of the mean: harmonics may fall below nothing


@dataclass(frozen=True)
class DetailConfig:
    """Size of a detail network, see ``ResidualUNet``; and ``gain``, by which its answers are too shallow.

    A network that is unsure answers with the mean, which is flatter than any relief; ``train.detail.calibrate`` measures that.
    """

    patch: int = 2
    widths: tuple[int, ...] = (24, 40, 80)
    blocks: tuple[int, ...] = (2, 2, 2)
    gain: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for a checkpoint's metadata."""
        return asdict(self)


class DetailNetwork(nn.Module):
    """What :func:`look` gives to displacements in millimetres, (B, 1, N, N), within ``LIMIT_MM``; none before training."""

    def __init__(self, config: DetailConfig = DetailConfig()) -> None:
        super().__init__()
        self.config = config
        self.unet = ResidualUNet(CHANNELS, 1, config.patch, config.widths, config.blocks)

    def forward(self, seen: Tensor) -> Tensor:
        """(B, ``CHANNELS``, N, N) float32; nothing moves where the weight, channel 4, is zero."""
        return LIMIT_MM * torch.tanh(self.config.gain * self.unet(seen) / LIMIT_MM) * seen[:, 4:5]


def look(brightness: Tensor, chroma: Tensor, lightness: Tensor, weight: Tensor, shape: Tensor, light: Tensor, seen: Tensor, wanted: Tensor) -> Tensor:
    """What the network sees, (B, ``CHANNELS``, N, N).

    Args:
        brightness: (B, 1, N, N) log of the luminance.
        chroma, lightness: (B, 2, N, N), (B, 1, N, N) of CIE Lab.
        weight: (B, 1, N, N) where there is skin.
        shape: (B, 9, G, G) of ``detail_surface.surface_maps``.
        light: (B, 9).
        seen, wanted: (B, 2, G, G) strain of the skin in the photo, and in the expression the displacement is for.
    """
    size = brightness.shape[-2:]
    fine = band(torch.cat([brightness, chroma], dim=1), weight)
    fine = torch.cat([3 * fine[:, :1].clamp(-1, 1), fine[:, 1:].clamp(-24, 24) / 8], dim=1) * weight
    local = torch.cat([0.5 * slope_response(shape, light).clamp(-3, 3), 6 * seen, 6 * wanted], dim=1)
    local = _enlarge(local, brightness)
    steps = [torch.linspace(-1, 1, n, device=weight.device) for n in size]
    place = torch.stack(torch.meshgrid(*steps, indexing="ij")).expand(len(weight), -1, -1, -1)
    return torch.cat([fine, lightness / 50 - 1, weight, local, place], dim=1)


def band(image: Tensor, weight: Tensor) -> Tensor:
    """The image (B, C, N, N) without its slow changes, of which only what has weight (B, 1, N, N) knows."""
    weight = weight + 1e-3
    slow = _blur(F.avg_pool2d(torch.cat([image * weight, weight], dim=1), _POOL), BAND / _POOL)
    return image - _enlarge(slow[:, :-1] / slow[:, -1:], image)


def slope_response(shape: Tensor, light: Tensor) -> Tensor:
    """(B, 2, G, G): change of the log of shade for displacements that rise by a millimetre a texel, across and down."""
    base, tilt = log_shade(shape[:, :3], light), 0.1
    turned = (log_shade(shape[:, :3] - tilt * shape[:, i : i + 3], light) for i in (3, 6))
    return torch.cat([(shade - base) / tilt for shade in turned], dim=1)


def log_shade(normals: Tensor, light: Tensor) -> Tensor:
    """Log of the shade (B, 1, H, W) that light (B, 9) gives normals (B, 3, H, W) of any length, up to a constant of each light."""
    square, linear, constant = sh_quadratic(light)
    flat = normals.flatten(2)
    shrink = torch.rsqrt((flat * flat).sum(1, keepdim=True) + 1e-8)
    shade = constant[:, None, None] + shrink * (linear[:, None] @ flat) + shrink**2 * (flat * (square @ flat)).sum(1, keepdim=True)
    relative = shade / (light[:, :1] * 0.28).clamp_min(1e-3)[..., None]
    # Rises softly from nothing, so that a loss can tell a surface to turn into the light.
    soft = F.softplus(relative - _DARKEST, beta=8) + _DARKEST
    return torch.log(soft).unflatten(2, normals.shape[2:])


def visible(displacement: Tensor, shape: Tensor, light: Tensor, cavity: Tensor | float = CAVITY) -> Tensor:
    """What a displacement adds to the log of brightness, (B, 1, N, N).

    Args:
        displacement: (B, 1, N, N) millimetres.
        shape: (B, 9, G, G).
        light: (B, 9).
        cavity: brightness lost in grooves; a number, or (B, 1, 1, 1).
    """
    across, down = slopes(displacement)
    flat, fine = log_shade(shape[:, :3], light), _enlarge(shape, displacement)
    bent = log_shade(fine[:, :3] - across * fine[:, 3:6] - down * fine[:, 6:9], light)
    depth = (_enlarge(_blur(F.avg_pool2d(displacement, 2), 1.6), displacement) - displacement).clamp_min(0)
    return bent - _enlarge(flat, displacement) - cavity * depth


def slopes(displacement: Tensor) -> tuple[Tensor, Tensor]:
    """Differences (B, 1, N, N) of a map from one texel to the next, across and down, at the texels."""
    padded = F.pad(displacement, (1, 1, 1, 1), mode="replicate")
    return (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2, (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2


def _enlarge(maps: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=False)


def _blur(image: Tensor, sigma: float) -> Tensor:
    reach = int(3 * sigma + 0.5)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=image.device) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(image.dtype).expand(image.shape[1], 1, -1)
    channels = image.shape[1]
    for pad, weights in (((reach, reach, 0, 0), kernel[..., None, :]), ((0, 0, reach, reach), kernel[..., None])):
        image = F.conv2d(F.pad(image, pad, mode="replicate"), weights, groups=channels)
    return image
