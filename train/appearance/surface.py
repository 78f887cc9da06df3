"""What the assets do not hold: occlusion of the head by itself, hair strands, pores."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from facerecon.head import HeadModel
from facerecon.reconstruction.texture_atlas import TextureAtlas
from facerecon.rendering import mesh_normals, rasterize

CROWN = np.array([0.0, 0.095, -0.105])
"""Where hair parts, metres in the head's frame."""
STRAND_M = 0.0016
_DEPTH_SIZE = 384
_DEPTH_TOLERANCE_M = 0.0015


def ambient_occlusion(vertices: np.ndarray, faces: np.ndarray, directions: int = 160) -> np.ndarray:
    """Share of the sky each vertex sees, (V,) in [0, 1], cosine weighted.

    Depth pictures of the mesh are drawn from directions spread evenly over the sphere.
    """
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(directions)
    height = 1 - 2 * (np.arange(directions) + 0.5) / directions
    ring = np.sqrt(1 - height**2)
    sky = np.stack([ring * np.cos(turn), height, ring * np.sin(turn)], axis=1)
    normals = mesh_normals(vertices, faces)
    lifted = vertices + 0.0008 * normals
    seen, total = np.zeros(len(vertices)), np.full(len(vertices), 1e-9)
    for direction in sky:
        cosine = np.clip(normals @ direction, 0, None)
        total += cosine
        seen += cosine * _visible(vertices, lifted, faces, direction)
    return (seen / total).astype(np.float32)


def _visible(vertices: np.ndarray, points: np.ndarray, faces: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Whether points (V, 3) see the sky in a direction: an orthographic z-buffer."""
    side = np.cross(direction, [0.3, 0.9, 0.31])
    side /= np.linalg.norm(side)
    basis = np.stack([side, np.cross(side, direction), -direction], axis=1)
    mesh, probe = vertices @ basis, points @ basis
    low, extent = mesh[:, :2].min(0), np.ptp(mesh[:, :2], axis=0).max()
    scale = (_DEPTH_SIZE - 3) / extent
    offset = 10.0 - mesh[:, 2].min()  # far away, where inverse depth is almost linear
    pixels = np.column_stack([(mesh[:, :2] - low) * scale + 1, mesh[:, 2] + offset]).astype(np.float32)
    fragments = rasterize(torch.from_numpy(pixels)[None], torch.from_numpy(faces), _DEPTH_SIZE, _DEPTH_SIZE, "numba")
    index, weights = fragments.face_index[0].numpy(), fragments.barycentric[0].numpy()
    depth = np.where(index >= 0, (pixels[faces[index], 2] * weights).sum(-1), np.inf)
    place = np.clip(np.round((probe[:, :2] - low) * scale + 1).astype(int), 0, _DEPTH_SIZE - 1)
    return probe[:, 2] + offset < depth[place[:, 1], place[:, 0]] + _DEPTH_TOLERANCE_M


def occlusion(head: HeadModel) -> np.ndarray:
    """Occlusion of skin at rest and of the mouth's inside with the jaw half open, (V,)."""
    faces = head.faces.cpu().numpy()
    jaw = torch.zeros(1, len(head.expression_labels))
    jaw[0, head.expression_labels.index("jawOpen")] = 0.6
    with torch.no_grad():
        closed, opened = head.vertices()[0].numpy(), head.vertices(expression=jaw)[0].numpy()
    mouth = head.masks["mouth_interior"].numpy()
    return np.where(mouth, ambient_occlusion(opened, faces), ambient_occlusion(closed, faces))


def _lattice_noise(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, period: int) -> np.ndarray:
    """Smooth value noise, repeating in x after ``period``."""
    table = rng.standard_normal((period, 64))
    xi, yi = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - xi, y - yi
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    corner = [[table[(xi + i) % period, (yi + j) % 64] for j in (0, 1)] for i in (0, 1)]
    low = corner[0][0] * (1 - fx) + corner[1][0] * fx
    high = corner[0][1] * (1 - fx) + corner[1][1] * fx
    return low * (1 - fy) + high * fy


def hair_strands(atlas: TextureAtlas, seed: int = 0) -> np.ndarray:
    """Brightness of combed strands running away from the crown, (S, S), mean 0, deviation about 1.

    A function of the place on the head, so that it has no seams.
    """
    rng = np.random.default_rng(seed)
    offset = atlas.spread(atlas.template) - CROWN
    distance = np.linalg.norm(offset, axis=-1)
    # Angle about the axis through the crown, leaning back.
    axis = CROWN / np.linalg.norm(CROWN)
    front = np.cross([1.0, 0, 0], axis)
    turn = np.arctan2(offset[..., 0], offset @ front) / (2 * np.pi) + 0.5
    wave = 0.006 * _lattice_noise(rng, turn * 8, distance / 0.045, 8)
    wave += 0.0015 * _lattice_noise(rng, turn * 64, distance / 0.02, 64)
    radius = np.hypot(offset[..., 0], offset @ front)
    octave = np.log2(np.maximum(2 * np.pi * radius / STRAND_M, 8))
    out = np.zeros_like(distance)
    for level in range(3, 11):
        weight = np.clip(1 - np.abs(octave - level), 0, 1)
        # Locks, strands and single hairs: how much finer than this level, how strong, how long in metres.
        for finer, strength, length in ((-3, 0.5, 0.05), (-1, 0.7, 0.03), (0, 1.0, 0.025), (1, 0.7, 0.012)):
            period = 2 ** (level + finer)
            along = distance / length + 7 * level
            out += weight * strength * _lattice_noise(rng, (turn + wave) * period, along, period)
    return out / out[atlas.skin].std()


def pores(atlas: TextureAtlas, seed: int = 1) -> np.ndarray:
    """Fine skin noise of no direction, (S, S), mean 0, deviation 1."""
    noise = np.random.default_rng(seed).standard_normal((atlas.size, atlas.size)).astype(np.float32)
    band = cv2.GaussianBlur(noise, (0, 0), 0.9) - cv2.GaussianBlur(noise, (0, 0), 3.0)
    return band / band.std()
