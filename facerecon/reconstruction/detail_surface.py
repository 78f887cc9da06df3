"""The part of the texture in which fine detail lives: the face, as the detail network sees it.

The face lies in one chart of the layout without a seam, so that a square window of the texture
holds all of it. Colours and displacements have ``SIZE`` texels a side there, about a millimetre each;
geometry, which is smooth, has ``GRID``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from facerecon.reconstruction.appearance import Appearance
from facerecon.reconstruction.delight import robust_light
from facerecon.reconstruction.texture_atlas import TextureAtlas
from facerecon.reconstruction.texture_completion import LIKE, likeness_maps
from facerecon.reconstruction.texture_projection import PhotoTexels, ramp
from facerecon.reconstruction.texture_tone import Tone
from facerecon.rendering import mesh_normals
from facerecon.rendering.shading import sh_basis
from facerecon.types import HeadParameters

SIZE, GRID = 256, 128
TEXTURE_SHARE = 0.5
"""Side of the window, as a share of the texture's: a whole texture at the window's resolution has 512 texels."""
TOP, LEFT = 112 / 512, 128 / 512
BORDER = 14
"""Texels over which detail fades towards the window's edge."""
LARGEST_STRAIN = 0.4
THIN = 5
"""Texels: darker lines up to this wide may be wrinkles, broader ones are brows, beards or shadows."""
FRINGE_M, DISTINCT_HAIR = (0.025, 0.045), (6.0, 22.0)
"""Ramps: heights above the eyes over which hair may cover the skin; distances of its colour from the skin's."""
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class FaceWindow:
    """One photo's face in the window, N texels a side where not said otherwise.

    Attributes:
        lab: (N, N, 3) float32 CIE Lab colours of the photo.
        weight: (N, N) float32 in [0, 1], how surely a texel shows bare skin of the face.
        shape: (G, G, 9) float32 normal in the camera's frame, and how one millimetre of displacement a texel to
            the right, and one downwards, tilts it (1 / mm each); see ``surface_maps``.
        strain: (G, G, 2) float32, how far the expression stretches the skin across and along the face.
        light: (9,) float32 spherical harmonics of the light's luminance, up to a factor.
    """

    lab: np.ndarray
    weight: np.ndarray
    shape: np.ndarray
    strain: np.ndarray
    light: np.ndarray


def whole_texture(window: np.ndarray, fill: float | tuple[float, ...] = 0.0) -> np.ndarray:
    """A window (N, N, ...) in its place in a texture at its resolution, ``fill`` around it."""
    side = round(len(window) / TEXTURE_SHARE)
    texture = np.empty((side, side, *window.shape[2:]), window.dtype)
    texture[:] = fill
    texture[window_slices(side)] = window
    return texture


def window_slices(size: int) -> tuple[slice, slice]:
    """Rows and columns of the window in a texture of ``size`` texels."""
    side = round(size * TEXTURE_SHARE)
    top, left = round(size * TOP), round(size * LEFT)
    return slice(top, top + side), slice(left, left + side)


def cut_window(image: np.ndarray, side: int = SIZE) -> np.ndarray:
    """The window of a texture (S, S, ...), ``side`` texels a side."""
    part = np.ascontiguousarray(image[window_slices(len(image))])
    shrinking = side < len(part)
    return part if len(part) == side else cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def fade() -> np.ndarray:
    """(N, N) float32, 1 in the window's middle and 0 at its edge."""
    across = ramp(np.minimum(np.arange(SIZE), np.arange(SIZE)[::-1]).astype(np.float32), 0, BORDER)
    return across[:, None] * across


def surface_maps(vertices: np.ndarray, atlas: TextureAtlas, rotation: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The surface over the window's grid.

    A displacement d (mm) along the normal n turns it to ``n - du * a - dv * b`` where du, dv are
    its differences from one of ``SIZE`` texels to the next.

    Args:
        vertices: (V, 3) metres, head frame.
        rotation: (3, 3) head to camera.

    Returns:
        (G, G, 9) n, a, b in the camera's frame; (G, G, 3) the metric, mm^2 a texel: of a step across with itself, with
        a step down, of that with itself; (G, G) bool, whether there is any surface.
    """
    points = np.asarray(vertices, np.float32) @ np.asarray(rotation, np.float32).T
    values, inside = _at_grid(np.concatenate([points * 1000, mesh_normals(points, atlas.faces)], axis=1), atlas)
    place, normal = values[..., :3], values[..., 3:]
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    down, across = (step * (GRID / SIZE) for step in np.gradient(place, axis=(0, 1)))
    whole = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
    e, f, g = (across**2).sum(-1), (across * down).sum(-1), (down**2).sum(-1)
    area = np.maximum(e * g - f * f, 1e-3)[..., None]
    a, b = (g[..., None] * across - f[..., None] * down) / area, (e[..., None] * down - f[..., None] * across) / area
    maps = np.concatenate([normal, a, b], axis=-1) * whole[..., None]
    return maps.astype(np.float32), np.stack([e, f, g], axis=-1), whole


def strain(vertices: np.ndarray, neutral: np.ndarray, atlas: TextureAtlas) -> np.ndarray:
    """(G, G, 2) by how much the skin of ``vertices`` is longer than that of ``neutral``, (V, 3) metres each, across and down."""
    still = np.eye(3)
    (_, now, whole), (_, rest, _) = (surface_maps(v, atlas, still) for v in (vertices, neutral))
    change = np.clip(np.sqrt(now[..., ::2] / np.maximum(rest[..., ::2], 1e-6)) - 1, -LARGEST_STRAIN, LARGEST_STRAIN) * whole[..., None]
    return cv2.GaussianBlur(change.astype(np.float32), (0, 0), 1.5)


def skin_weight(texels: PhotoTexels, accepted: np.ndarray, atlas: TextureAtlas, prior: Appearance, tone: Tone) -> tuple[np.ndarray, np.ndarray]:
    """The window's colours (N, N, 3), and in [0, 1] where they are bare skin that the photo shows (N, N).

    Args:
        accepted: (S, S) in [0, 1], texels that show the head and not what hides it.
    """
    lab = cut_window(texels.lab)
    _, likeness, hair = likeness_maps(lab, tone)
    # Fair hair on the forehead is like skin, too: what is at least as much like the hair does not count up there.
    distinct = tone.hair_share * ramp(np.linalg.norm(tone.hair - tone.skin), *DISTINCT_HAIR)
    fringe = distinct * ramp(cut_window(atlas.height), *FRINGE_M)
    likeness = likeness * (1 - fringe * ramp(hair - 0.7 * likeness, 0.0, 0.3))
    # A wrinkle is darker than skin, too: what is thin stays.
    likeness = cv2.morphologyEx(np.ascontiguousarray(likeness), cv2.MORPH_CLOSE, np.ones((THIN, THIN), np.uint8))
    masks = [cut_window(atlas.masks[name]) for name in ("face", "eyes")]
    growth = cut_window(prior.hair_growth)
    weight = cut_window(accepted.astype(np.float32)) * masks[0] * (1 - ramp(masks[1], 0.3, 0.8)) * (1 - ramp(growth, 0.05, 0.4))
    weight *= ramp(likeness, *LIKE) * cut_window(atlas.skin.astype(np.float32)) * fade()
    return lab, cv2.GaussianBlur(weight.astype(np.float32), (0, 0), 1.0)


def look_at(
    texels: PhotoTexels, accepted: np.ndarray, parameters: HeadParameters, vertices: np.ndarray, neutral: np.ndarray,
    atlas: TextureAtlas, prior: Appearance, tone: Tone,
) -> FaceWindow:  # fmt: skip
    """The window of one photo.

    Args:
        vertices, neutral: (V, 3) metres, head frame, with and without expression.

    The others are those of :func:`skin_weight`.
    """
    lab, weight = skin_weight(texels, accepted, atlas, prior, tone)
    shape, _, whole = surface_maps(vertices, atlas, parameters.rotation)
    rows = np.flatnonzero((cut_window(weight, GRID) > 0.3) & whole)[::2]
    basis = sh_basis(torch.from_numpy(shape[..., :3])).numpy().reshape(-1, 9)
    start = np.asarray(parameters.lighting, np.float64) @ LUMINANCE
    if len(rows) > 100:
        bright, albedo = (luminance(cut_window(image, GRID)).ravel()[rows] for image in (texels.lab, prior.lab))
        ratio = (bright / np.maximum(albedo, 0.02))[:, None]
        light = robust_light(ratio, basis[rows], cut_window(weight, GRID).ravel()[rows], start[:, None])[:, 0]
    else:
        light = start
    return FaceWindow(lab, weight, shape, strain(vertices, neutral, atlas), light.astype(np.float32))


def luminance(lab: np.ndarray) -> np.ndarray:
    """Linear luminance (...) of CIE Lab colours (..., 3)."""
    lightness = np.clip(lab[..., 0], 0, 100)
    return np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3).astype(np.float32)


def _at_grid(values: np.ndarray, atlas: TextureAtlas) -> tuple[np.ndarray, np.ndarray]:
    """Vertex values (V, C) at the window's grid (G, G, C), and where there is a surface."""
    step = round(atlas.size * TEXTURE_SHARE) // GRID
    rows, columns = window_slices(atlas.size)
    part = slice(rows.start + step // 2, rows.stop, step), slice(columns.start + step // 2, columns.stop, step)
    index, weights = atlas.face_index[part], atlas.barycentric[part]
    spread = (values[atlas.faces[index]] * weights[..., None]).sum(2)
    return np.where((index >= 0)[..., None], spread, 0), index >= 0
