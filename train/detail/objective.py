"""Losses of the detail stage.

Half of a batch gets a made-up relief, shaded by a made-up light: its truth is known to the tenth of a
millimetre, in the photo's expression and in another. The other half are photos whose own shading has to
be explained, as DECA learns detail from photos alone.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.reconstruction.detail_network import DetailNetwork, band, look, slopes, visible
from facerecon.rendering.shading import directional_light, uniform_light
from train.detail.config import LossWeights
from train.detail.wrinkles import relief

OUTLIER = 0.35  # log of brightness: what is unexplained beyond it counts less and less
EDGE_CHROMA = 5.0  # Lab: a change of colour this strong is paint, hair or lips, not relief


def log_brightness(lab: Tensor) -> Tensor:
    """Log of the linear luminance (B, 1, N, N) of CIE Lab (B, 3, N, N)."""
    return 3 * torch.log((lab[:, :1].clamp(4, 100) + 16) / 116)


def random_light(rng: np.random.Generator, count: int) -> Tensor:
    """(count, 9): one or two lamps before the face, and light from everywhere."""
    lights = []
    for _ in range(count):
        lamps = int(rng.integers(1, 3))
        direction = rng.normal(0, 1, (lamps, 3)) * (0.8, 0.6, 0.4) + (0, 0.4, 0.9)
        strength = torch.from_numpy(rng.uniform(0.3, 1.2, (lamps, 1))).float().expand(-1, 3)
        lamp = directional_light(torch.from_numpy(direction).float(), strength)[:, 0]
        lights.append(lamp + uniform_light(1, float(rng.uniform(0.25, 0.9)))[0, :, 0])
    return torch.stack(lights)


def give_relief(faces: dict[str, Tensor], rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Faces with a made-up relief.

    Returns:
        what the network sees of them; the relief (B, 1, N, N) mm in the expression it is asked for, and the weight.
    """
    count, weight, maps = len(faces["lab"]), faces["weight"], faces["maps"]

    def draw(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (count, 1, 1, 1))).float().to(weight.device)

    def normal(shape: tuple[int, ...], kind: type = np.float64) -> Tensor:
        return torch.from_numpy(rng.standard_normal(shape, kind)).float().to(weight.device)

    shape, strain = maps[:, :9], maps[:, 9:] * draw(0.0, 1.5)
    other = maps[:, 9:].roll(1, 0) * draw(0.0, 1.5)
    wanted = torch.where(draw(0, 1) < 0.5, strain, other)
    still = draw(0.15, 1.0)
    here, there = (relief(faces["layers"], s, still) for s in (strain, wanted))
    light = torch.where(draw(0, 1)[:, :, 0, 0] < 0.5, random_light(rng, count).to(weight.device), faces["light"] / faces["light"][:, :1].abs().clamp_min(1e-3) * 3.5)
    shaded = visible(here, shape, light, draw(0.3, 1.5)).clamp(-1.5, 0.8)
    shaded = _soften(shaded, float(rng.uniform(0.3, 1.2)))
    brightness = log_brightness(faces["lab"])
    brightness = brightness - draw(0.3, 1.0) * band(brightness, weight) + shaded
    noise = normal((count, 1, *brightness.shape[2:]), np.float32) * draw(0.0, 0.04)
    # The light that is fitted to a photo is never quite the photo's.
    uneven = torch.arange(9, device=weight.device) > 0
    seen_light = light * (1 + 0.08 * normal(light.shape)) + 0.08 * light[:, :1] * normal(light.shape) * uneven
    seen = look(brightness + noise, faces["lab"][:, 1:], faces["lab"][:, :1], weight, shape, seen_light, strain, wanted)
    return seen, there, weight


def see_photo(faces: dict[str, Tensor]) -> Tensor:
    """What the network sees of real faces."""
    maps, lab = faces["maps"], faces["lab"]
    return look(log_brightness(lab), lab[:, 1:], lab[:, :1], faces["weight"], maps[:, :9], faces["light"], maps[:, 9:], maps[:, 9:])


def known_losses(found: Tensor, truth: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Errors of depth and slope where there is skin; both without what changes slowly."""
    whole = weight.sum().clamp_min(1.0)
    depth = (found - truth * weight).abs() * weight
    slope = sum(((a - b).abs() * weight).sum() for a, b in zip(slopes(found), slopes(truth * weight)))
    return {"depth": depth.sum() / whole, "slope": slope / (2 * whole)}


def unexplained(found: Tensor, faces: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Fine changes of brightness (B, 1, N, N) that the relief does not explain, and how much each texel counts."""
    weight = faces["weight"]
    fine = band(torch.cat([log_brightness(faces["lab"]), faces["lab"][:, 1:]], dim=1), weight)
    shown = band(visible(found, faces["maps"][:, :9], faces["light"]), weight)
    paint = torch.exp(-((fine[:, 1:] / EDGE_CHROMA) ** 2).sum(1, keepdim=True))
    return fine[:, :1] - shown, weight * paint


def photo_losses(found: Tensor, faces: dict[str, Tensor]) -> dict[str, Tensor]:
    """What is left unexplained (Geman-McClure), and the size and roughness of the relief."""
    rest, weight = unexplained(found, faces)
    whole = weight.sum().clamp_min(1.0)
    squared = (rest / OUTLIER) ** 2
    across, down = slopes(found)
    bends = sum(b.abs().mean() for slope in (across, down) for b in slopes(slope))
    return {"photo": (squared / (1 + squared) * weight).sum() / whole, "still": found.abs().sum() / whole, "rough": bends}


class Objective:
    """All losses of a batch; made-up lights and noise come from the step."""

    def __init__(self, weights: LossWeights, seed: int = 0) -> None:
        self.weights, self.seed = weights, seed

    def __call__(self, network: DetailNetwork, batch: dict[str, dict[str, Tensor]], step: int) -> tuple[Tensor, dict[str, float]]:
        """The weighted sum, and each loss by name."""
        seen, truth, weight = give_relief(batch["known"], np.random.default_rng((self.seed, 2, step)))
        found = network(torch.cat([seen, see_photo(batch["photos"])]).contiguous(memory_format=torch.channels_last))
        count = len(seen)
        losses = {**known_losses(found[:count], truth, weight), **photo_losses(found[count:], batch["photos"])}
        total = sum(getattr(self.weights, name) * value for name, value in losses.items())
        return total, {name: float(value.detach()) for name, value in losses.items()}


def _soften(image: Tensor, sigma: float) -> Tensor:
    """A blur of a few texels, as lenses and small photos have it."""
    kernel = torch.exp(-0.5 * (torch.arange(-3, 4, device=image.device) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(image.dtype)[None, None, None]
    return F.conv2d(F.conv2d(F.pad(image, (3, 3, 3, 3), mode="replicate"), kernel), kernel.transpose(2, 3))
