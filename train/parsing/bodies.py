"""Shoulders and hats for rendered people: plain shapes, in front of which the head is what it is in photos."""

from __future__ import annotations

import numpy as np

from facerecon.head import HeadModel
from train.reconstruction.hair import HairMaker

_AROUND, _BRIM = 40, 36  # corners of a ring


def bust(vertices: np.ndarray, neck: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neck and shoulders as a stack of rings.

    Args:
        vertices: (V, 3) of the head, metres.
        neck: (V,) bool.

    Returns:
        points (N, 3), triangles (F, 3), and (F,) bool where the neckline leaves skin bare.
    """
    low = vertices[neck]
    bottom, size = low[:, 1].min(), np.ptp(low[:, 0]) / 0.2
    middle = np.array([0.0, low[:, 2].mean()])
    slope, wide = rng.uniform(0.6, 1.5), rng.uniform(0.85, 1.2)
    heights = bottom + size * np.array([0.075, 0.045, 0.015, -0.02 * slope, -0.06 * slope, -0.12, -0.4])
    across = size * np.array([0.066, 0.074, 0.095, 0.15 * wide, 0.2 * wide, 0.215 * wide, 0.23 * wide])
    along = size * np.array([0.070, 0.078, 0.090, 0.10, 0.11, 0.12, 0.13])
    turn = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    rings = np.stack([
        np.stack([np.cos(turn) * a, np.full(_AROUND, h), np.sin(turn) * b + middle[1]], 1)
        for h, a, b in zip(heights, across, along)
    ])  # fmt: skip
    first = int(rng.integers(0, 3))  # a high collar, or none
    rings = rings[first:]
    points = rings.reshape(-1, 3)
    i = np.arange(len(rings) - 1)[:, None] * _AROUND + np.arange(_AROUND)[None]
    j = np.arange(len(rings) - 1)[:, None] * _AROUND + (np.arange(_AROUND)[None] + 1) % _AROUND
    faces = np.concatenate([np.stack([a.ravel() for a in t], 1) for t in ((i, j, i + _AROUND), (j, j + _AROUND, i + _AROUND))])
    centre = points[faces].mean(1)
    open_angle, depth = rng.uniform(0.1, 0.9), rng.uniform(-0.03, 0.14) * size
    front = np.abs(np.arctan2(centre[:, 0], centre[:, 2] - middle[1])) / open_angle
    bare = centre[:, 1] > bottom - depth * np.clip(1 - front, 0, 1) + (0.03 if depth > 0 else 0.2) * size
    return points, faces, bare


class Hats:
    """Caps, woollen hats, hoods and brims for the heads of one model."""

    def __init__(self, head: HeadModel) -> None:
        self.hair = HairMaker(head)
        self.crown = head.masks["scalp"].numpy()

    def wear(self, vertices: np.ndarray, normals: np.ndarray, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
        """Points (N, 3) and triangles (F, 3) of each piece."""
        pieces = [self.hair.cap(vertices, normals, rng, rng.uniform(0.025, 0.05))]
        if rng.random() < 0.5:
            pieces.append(self._brim(vertices, rng))
        return pieces

    def _brim(self, vertices: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        crown = vertices[self.crown]
        top, middle = crown[:, 1].max(), (crown.max(0) + crown.min(0)) / 2
        inner = np.ptp(crown[:, 0]) / 2
        turn = np.linspace(0, 2 * np.pi, _BRIM, endpoint=False)
        out = rng.uniform(1.15, 1.7) + rng.uniform(0, 0.4) * np.clip(np.sin(turn), 0, 1)
        height = top - rng.uniform(0.3, 0.5) * (top - crown[:, 1].min())
        rings = []
        for reach, drop in ((0.9, 0.0), (out, rng.uniform(0, 0.02))):
            x, z = np.cos(turn) * inner * reach, np.sin(turn) * inner * 1.25 * reach + middle[2]
            rings.append(np.stack([x, np.full(_BRIM, height - drop), z], 1))
        i, j = np.arange(_BRIM), (np.arange(_BRIM) + 1) % _BRIM
        faces = np.concatenate([np.stack([i, j, i + _BRIM], 1), np.stack([j, j + _BRIM, i + _BRIM], 1)])
        return np.concatenate(rings), faces
