"""Made-up skin relief whose displacement is known: wrinkles where faces have them, folds, pores, bumps.

All in texels of ``detail_surface``'s window (about a millimetre each) and millimetres of depth. A
sample has three layers: what stays in every expression, and wrinkles that deepen when the skin
is squeezed across or along the face, each stored at its full depth. :func:`relief` joins them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch.nn.functional as F
from torch import Tensor

from facerecon.reconstruction.detail_surface import SIZE

SQUEEZE = 5.0  # how much deeper, of a wrinkle's full depth, for each unit of squeezing
MOST = 1.6
_REACH = 4.0  # deviations of a groove's profile that are drawn
_SPACING = 0.7  # texels between points of a stroke, no more than the narrowest groove is wide


@dataclass(frozen=True)
class Stroke:
    """A groove along a curve.

    Attributes:
        points: (P, 2) column and row.
        depth: mm in its middle; it ends in nothing.
        width: texels, deviation of the profile.
        bulge: mm by which the skin beside it stands higher: to its right, seen along it, or to its left where negative.
    """

    points: np.ndarray
    depth: float
    width: float
    bulge: float = 0.0


def relief(layers: Tensor, strain: Tensor, still: Tensor) -> Tensor:
    """Displacement (B, 1, N, N) mm of layers (B, 3, N, N) under a strain (B, 2, G, G).

    ``still`` (B, 1, 1, 1) is how deep wrinkles lie without any expression, of their full depth.
    """
    active = (still - SQUEEZE * strain).clamp(0, MOST)
    active = F.interpolate(active, size=layers.shape[-2:], mode="bilinear", align_corners=False)
    return layers[:, :1] + (layers[:, 1:] * active).sum(1, keepdim=True)


def bank(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Layers (count, 3, N, N) float16 for faces whose 68 landmarks lie at ``points`` (68, 2)."""
    made = np.zeros((count, 3, SIZE, SIZE), np.float16)
    for i in range(count):
        rng = np.random.default_rng((seed, i))
        made[i] = sample(points + rng.normal(0, 1.5, (68, 2)) * 0.5 + rng.normal(0, 2, 2), rng)
    return made


def sample(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Layers (3, N, N) float32 of one face."""
    layers = np.zeros((3, SIZE, SIZE), np.float32)
    aged = float(rng.beta(1.2, 1.2))
    for stroke in strokes(points, aged, rng):
        _draw(layers, stroke)
    layers[0] += surface_noise(rng, aged)
    return layers


def strokes(p: np.ndarray, aged: float, rng: np.random.Generator) -> Iterator[Stroke]:
    """Wrinkles of a face with landmarks ``p`` (68, 2), more and deeper the more ``aged`` in [0, 1]."""

    def number(most: float) -> int:
        return int(rng.binomial(round(most), 0.15 + 0.75 * aged))

    def depth(most: float) -> float:
        return float(most * rng.uniform(0.15, 1.0) * (0.25 + 0.75 * aged))

    def groove(start, end, bend: float, most: float, width=(0.7, 1.7), bulge: float = 0.0) -> Stroke:
        return Stroke(_curve(np.asarray(start, float), np.asarray(end, float), bend, rng), depth(most), rng.uniform(*width), bulge)

    brow = p[17:27, 1].mean()
    left, right = p[19, 0], p[24, 0]
    for k in range(number(5)):  # across the forehead, some of them on one side only
        y = brow - 9 - rng.uniform(6, 10) * k
        x0, x1 = left - rng.uniform(0, 18), right + rng.uniform(0, 18)
        if rng.random() < 0.35:
            x0, x1 = (x0, rng.uniform(left, right)) if rng.random() < 0.5 else (rng.uniform(left, right), x1)
        yield groove((x0, y + rng.normal(0, 2)), (x1, y + rng.normal(0, 2)), rng.normal(-2, 3), 0.8)
    for _ in range(number(3)):  # between the brows
        x = rng.uniform(p[21, 0], p[22, 0])
        yield groove((x, brow - rng.uniform(4, 16)), (x + rng.normal(0, 2), brow + rng.uniform(2, 10)), rng.normal(0, 1.5), 0.8)
    for outer, inner, side in ((36, 39, -1), (45, 42, 1)):
        for _ in range(number(6)):  # crow's feet
            angle, length = rng.uniform(-1.0, 0.9), rng.uniform(7, 24)
            start = p[outer] + (side * rng.uniform(4, 9), 7 * np.sin(angle))
            yield groove(start, start + length * np.array([side * np.cos(angle), np.sin(angle)]), rng.normal(0, 2), 0.6, (0.6, 1.3))
        for k in range(number(4)):  # below the eye
            drop = 7 + rng.uniform(4, 7) * k
            a, b = p[inner] + (0, drop), p[outer] + (side * rng.uniform(-4, 4), drop)
            yield groove(a, b, -side * rng.uniform(2, 7), 0.7, (0.7, 2.5), -side * rng.uniform(0, 0.5) * aged)
        yield groove(p[inner] - (0, 9), p[outer] - (side * -3, 8), side * rng.uniform(3, 7), 0.8)  # the lid's crease
    for wing, corner, side in ((31, 48, -1), (35, 54, 1)):
        a = p[wing] + (side * rng.uniform(3, 7), -rng.uniform(0, 7))
        b = p[corner] + (side * rng.uniform(4, 11), rng.uniform(-2, 9))
        yield groove(a, b, side * rng.uniform(0, 5), 1.1, (1.0, 2.8), -side * rng.uniform(0, 1.0))  # nasolabial
        for _ in range(number(2)):  # from the mouth's corner down
            a = p[corner] + (side * rng.uniform(0, 5), rng.uniform(2, 6))
            yield groove(a, a + (side * rng.uniform(0, 8), rng.uniform(9, 26)), rng.normal(0, 2), 0.8, (0.8, 2.2), -side * rng.uniform(0, 0.4))
        for _ in range(number(4)):  # on the cheek
            a = p[corner] + (side * rng.uniform(10, 36), rng.uniform(-32, 6))
            yield groove(a, a + (side * rng.uniform(-6, 8), rng.uniform(10, 38)), side * rng.uniform(-2, 7), 0.6, (0.7, 2.0))
    for _ in range(number(7)):  # above the upper lip
        a = np.array([rng.uniform(p[49, 0], p[53, 0]), p[51, 1] - rng.uniform(1, 4)])
        yield groove(a, a - (rng.normal(0, 1.5), rng.uniform(4, 10)), rng.normal(0, 0.6), 0.35, (0.6, 1.1))
    if rng.random() < 0.6:  # above the chin
        y = p[57, 1] + rng.uniform(6, 13)
        yield groove((p[48, 0] + 8, y), (p[54, 0] - 8, y), rng.uniform(2, 7), 0.8, (1.2, 3.5))
    for _ in range(int(rng.integers(0, 7))):  # anywhere: the network must look, not know
        a = np.array([rng.uniform(20, SIZE - 20), rng.uniform(20, SIZE - 30)])
        yield groove(a, a + rng.normal(0, 16, 2), rng.normal(0, 4), 0.7, (0.6, 2.5), rng.normal(0, 0.2))


def surface_noise(rng: np.random.Generator, aged: float) -> np.ndarray:
    """(N, N) mm: pores and rough skin, puffs and hollows, moles."""
    noise = rng.standard_normal((2, SIZE, SIZE)).astype(np.float32)
    fine = cv2.GaussianBlur(noise[0], (0, 0), 0.8) - cv2.GaussianBlur(noise[0], (0, 0), 2.0)
    soft = cv2.GaussianBlur(noise[1], (0, 0), rng.uniform(2.5, 6.5))
    out = fine / fine.std() * rng.uniform(0.0, 0.035 + 0.03 * aged) + soft / soft.std() * rng.uniform(0.0, 0.10 + 0.12 * aged)
    for _ in range(int(rng.integers(0, 8))):
        x, y, width = rng.integers(12, SIZE - 12), rng.integers(12, SIZE - 12), rng.uniform(1.2, 3.5)
        part = (slice(y - 12, y + 13), slice(x - 12, x + 13))
        step = np.arange(-12, 13) / width
        hill = np.exp(-0.5 * (step[:, None] ** 2 + step**2))
        out[part] += rng.uniform(-0.25, 0.6) * hill[: out[part].shape[0], : out[part].shape[1]]
    return out


def _curve(start: np.ndarray, end: np.ndarray, bend: float, rng: np.random.Generator) -> np.ndarray:
    """(P, 2) points of an uneven arc that bends to the left, seen along it, by ``bend`` texels."""
    along = end - start
    count = max(round(float(np.linalg.norm(along)) / _SPACING), 8)
    t = np.linspace(0, 1, count)[:, None]
    aside = np.array([along[1], -along[0]]) / max(np.linalg.norm(along), 1e-6)
    wave = np.interp(t[:, 0], np.linspace(0, 1, 28), _smooth(rng.normal(0, 2.2, 28)))[:, None]
    return start + t * along + (4 * t * (1 - t) * bend + wave) * aside


def _smooth(values: np.ndarray) -> np.ndarray:
    kernel = np.exp(-0.5 * (np.arange(-9, 10) / 3.5) ** 2)
    return np.convolve(np.pad(values, 9, mode="edge"), kernel / kernel.sum(), mode="valid")


def _draw(layers: np.ndarray, stroke: Stroke) -> None:
    """Adds a stroke to the layers of wrinkles, shared between them by its direction; its bulge to the one that stays."""
    wide = max(2.8 * stroke.width, 6.0 if stroke.bulge else 0.0)
    reach = int(_REACH * wide * 0.75) + 1
    low = np.clip(np.floor(stroke.points.min(0)) - reach, 0, SIZE).astype(int)
    high = np.clip(np.ceil(stroke.points.max(0)) + reach + 1, 0, SIZE).astype(int)
    if (high <= low).any():
        return
    x, y = np.arange(low[0], high[0])[None, :, None], np.arange(low[1], high[1])[:, None, None]
    points = stroke.points.astype(np.float32)
    dx, dy = (x - points[:, 0]).astype(np.float32), (y - points[:, 1]).astype(np.float32)
    squared = dx * dx + dy * dy
    nearest = squared.argmin(-1)
    distance = np.take_along_axis(squared, nearest[..., None], -1)[..., 0]
    count = len(stroke.points)
    taper = np.sin(np.pi * (np.arange(count) + 0.5) / count)[nearest] ** 0.6
    groove = np.exp(-distance / (2 * stroke.width**2)) - 0.35 * np.exp(-distance / (2 * (2.6 * stroke.width) ** 2))
    direction = stroke.points[-1] - stroke.points[0]
    share = direction[0] ** 2 / max(float((direction**2).sum()), 1e-6)
    part = (slice(low[1], high[1]), slice(low[0], high[0]))
    layers[1][part] -= (1 - share) * stroke.depth * taper * groove
    layers[2][part] -= share * stroke.depth * taper * groove
    if stroke.bulge:
        near = np.take_along_axis(direction[0] * dy - direction[1] * dx, nearest[..., None], -1)[..., 0]
        side = 1 / (1 + np.exp(-np.sign(stroke.bulge) * near / max(np.linalg.norm(direction), 1e-6) / 0.8))
        layers[0][part] += abs(stroke.bulge) * taper * side * np.exp(-distance / (2 * 6.0**2))
