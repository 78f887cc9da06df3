"""Hair for synthetic heads: a displaced cap on the scalp and, for long hair, a curtain behind."""

from __future__ import annotations

import numpy as np

from facerecon.head import HeadModel


class HairMaker:
    """Builds hair meshes for the heads of one :class:`HeadModel`.

    Attributes:
        faces: (F, 3) triangles of the head's topology that may carry the cap.
    """

    def __init__(self, head: HeadModel) -> None:
        faces = head.faces.numpy()
        template = head.vertices()[0].numpy()
        scalp = head.masks["scalp"].numpy().astype(np.float32)
        self.density = _diffuse(scalp, faces, rounds=6)
        usable = (self.density > 0.02) & ~head.masks["ears"].numpy() & head.masks["skin"].numpy()
        self.faces = faces[usable[faces].all(1)]
        self.template = template

    def cap(self, vertices: np.ndarray, normals: np.ndarray, rng: np.random.Generator, thickness: float) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (V, 3) of the cap, metres, and the triangles (F, 3) where hair grows."""
        waves = sum(
            np.sin(self.template @ rng.normal(0, 60, 3) + rng.uniform(0, 6.3)) for _ in range(4)
        )  # a smooth random hairline, and tufts
        grows = self.density + 0.05 * waves > rng.uniform(0.25, 0.7)
        height = thickness * np.clip(self.density * 1.6, 0, 1) * (1 + 0.2 * waves)
        lifted = vertices + normals * np.maximum(height, 0.001)[:, None]
        return lifted, self.faces[grows[self.faces].all(1)]

    def curtain(self, vertices: np.ndarray, rng: np.random.Generator, thickness: float) -> tuple[np.ndarray, np.ndarray]:
        """Long hair: a sheet (N, 3) round the back and the sides of the head, and its triangles."""
        top, length = vertices[:, 1].max(), rng.uniform(0.12, 0.32)
        width = np.abs(vertices[self.density > 0.5][:, 0]).max() + thickness
        depth = -vertices[self.density > 0.5][:, 2].min() * 0.5 + thickness
        opening = rng.uniform(0.9, 1.35)
        angles = np.linspace(np.pi / 2 + opening, 5 * np.pi / 2 - opening, 40)
        heights = np.linspace(top - 0.04, top - 0.12 - length, 16)
        waves = 1 + 0.05 * np.sin(angles * rng.uniform(4, 12) + rng.uniform(0, 6))
        flare = 1 + rng.uniform(-0.1, 0.3) * np.linspace(0, 1, 16)[:, None] ** 2
        x = np.cos(angles)[None] * width * waves * flare
        z = np.sin(angles)[None] * depth * waves * flare + (vertices[self.density > 0.5][:, 2].min() + depth - thickness)
        y = np.repeat(heights[:, None], 40, 1)
        points = np.stack([x, y, z], 2).reshape(-1, 3)
        i = (np.arange(15)[:, None] * 40 + np.arange(39)[None]).ravel()
        return points, np.concatenate([np.stack([i, i + 40, i + 1], 1), np.stack([i + 1, i + 40, i + 41], 1)])


def _diffuse(values: np.ndarray, faces: np.ndarray, rounds: int) -> np.ndarray:
    """Means over neighbours, ``rounds`` times, on (V,) values."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    count = np.bincount(edges[:, 0], minlength=len(values)).clip(1)
    for _ in range(rounds):
        values = np.bincount(edges[:, 0], values[edges[:, 1]], len(values)) / count
    return values.astype(np.float32)
