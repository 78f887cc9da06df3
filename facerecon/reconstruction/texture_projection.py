"""What the photo shows of each texel, and how far that can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numba import vectorize

from facerecon.faces.align import transform_points
from facerecon.faces.masks import FaceMasks
from facerecon.reconstruction.texture_atlas import TextureAtlas
from facerecon.rendering import mesh_normals, rasterize
from facerecon.types import HeadParameters, Image

DEPTH_SIZE = 640
"""Longer side of the z-buffer, pixels: the resolution of the margins, not of the colours."""
DEPTH_TOLERANCE_M = 0.004
DEPTH_JUMP_M = 0.009
"""A step in depth between neighbouring pixels that means one part of the head stands before another."""
OUTLINE_MARGIN_M = (0.0025, 0.0100)
JUMP_MARGIN_M = (0.0006, 0.0028)
"""Trust rises from 0 to 1 over these distances from the outline, the neck left out, and from a step in depth."""
FACING = (0.14, 0.48)
"""Trust rises from 0 to 1 over these cosines between the surface's normal and the line of sight."""
SKIN_FACING = 0.2
"""By so much better than the scalp skin must face the lens: its rim lies in shade, and hair, ears and earrings beside it are a
small error of the fit away. What completes it looks better than that."""
BACKGROUND, COVERED, REPLACED = (0.45, 0.85), (0.35, 0.75), (0.25, 0.60)
"""Ramps from 0 to 1: of the chance of background, which takes a texel's trust; of the chance that something covers the
skin there, which takes it as far as the mirrored texel, by its own trust, can stand in."""
LIDS, EYES = (0.12, 0.35), (0.2, 0.5)
"""Ramps from 0 to 1: of how far a blink moves the skin, and of the chance of an eye there, which takes a lid's trust: an open
lid lies so close to the eyeball that a small error of the fit puts the iris on it, for all to see when it shuts."""
FRINGE_M, HAIRLINE_M = (0.010, 0.030), (0.028, 0.056)
"""Heights above the eyes: hair below the one hangs beside the face and never lands on it, hair between them is a fringe,
which gives way to the other side alone; hair above grows there."""


@dataclass(frozen=True)
class PhotoTexels:
    """The photo, unprojected.

    Attributes:
        lab: (S, S, 3) float32 CIE Lab colours; of no meaning where ``trust`` is 0.
        trust: (S, S) float32 in [0, 1], by geometry, and by what the photo shows there where that was judged.
        facing: (S, S) float32 cosine between normal and line of sight.
        outline_m: (S, S) float32 distance in the picture from the outline of the head without its neck,
            metres on the face.
        pixels_per_mm: of the photo, on the face.
        hair: (S, S) float32 in [0, 1], how surely the photo shows hair there; None where that was not judged.
    """

    lab: np.ndarray
    trust: np.ndarray
    facing: np.ndarray
    outline_m: np.ndarray
    pixels_per_mm: float
    hair: np.ndarray | None = None


@vectorize(["float32(float32, float32, float32)", "float64(float64, float64, float64)"], cache=True)
def _ramp(value, low, slope):  # one pass over the picture instead of six
    t = min(max((value - low) * slope, np.float32(0)), np.float32(1))
    return t * t * (np.float32(3) - np.float32(2) * t)


def ramp(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth in between."""
    kind = np.float32 if getattr(values, "dtype", None) == np.float32 else np.float64
    return _ramp(values, kind(low), kind(1 / (high - low)))


def project_photo(
    photo: Image, parameters: HeadParameters, vertices: np.ndarray, atlas: TextureAtlas, masks: FaceMasks | None = None
) -> PhotoTexels:
    """Looks up every texel in the photo.

    Args:
        photo: (H, W, 3) uint8.
        parameters: pose and camera.
        vertices: (V, 3) metres, head frame, with expression.
        masks: what the photo shows: background never lands on the head, and what covers the skin (hair, glasses, a
            hand) does not where the other side shows skin.
    """
    rotation = np.asarray(parameters.rotation, np.float64)
    points = vertices @ rotation.T + np.asarray(parameters.translation_m, np.float64)
    depth = np.maximum(-points[:, 2], 1e-3)
    scale = parameters.focal_px / depth
    centre = np.asarray(parameters.principal_point, np.float64)
    pixels = np.column_stack([centre[0] + scale * points[:, 0], centre[1] - scale * points[:, 1], depth])
    facing = _facing(points.astype(np.float32), atlas.faces)
    texels = atlas.spread(np.column_stack([pixels, facing]))
    trust, outline = _margins(pixels, texels, atlas, float(np.median(scale)))
    trust *= ramp(texels[..., 3] - SKIN_FACING * (1 - atlas.masks["scalp"]), *FACING)
    # The photo ends somewhere: its last pixels are no better than an outline.
    height, width = photo.shape[:2]
    inset = np.minimum.reduce([texels[..., 0], texels[..., 1], width - 1 - texels[..., 0], height - 1 - texels[..., 1]])
    trust *= ramp(inset, 0.0, max(2.0, 0.002 * float(np.median(scale))))
    lab = _sample(photo, texels, pixels, atlas.size)
    trust = np.where(atlas.inside, trust, 0).astype(np.float32)
    hair = None
    if masks is not None:
        trust, hair = _uncovered(trust, texels[..., :2], atlas, masks)
    return PhotoTexels(lab, trust, texels[..., 3], outline, float(np.median(scale)) / 1000, hair)


def _uncovered(trust: np.ndarray, pixels: np.ndarray, atlas: TextureAtlas, masks: FaceMasks) -> tuple[np.ndarray, np.ndarray]:
    """Trust (S, S) where ``pixels`` (S, S, 2) of the photo show the head itself, and how surely they show hair (S, S)."""
    place = transform_points(pixels, masks.matrix).astype(np.float32)
    judged = cv2.merge([masks.of(name) for name in ("background", "hair", "other", "features")])
    seen = cv2.remap(judged, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    background, hair, other, features = cv2.split(seen)
    trust = trust * (1 - ramp(background, *BACKGROUND)) * (1 - ramp(atlas.lids, *LIDS) * ramp(features, *EYES))
    beside, below = (
        np.maximum(atlas.masks["face"] * (1 - ramp(atlas.height, *height)), atlas.masks["ears"]) for height in (FRINGE_M, HAIRLINE_M)
    )
    trust *= 1 - ramp(hair * beside, *COVERED)
    covered = ramp(other + hair * below, *COVERED).astype(np.float32)
    there = atlas.flip((trust * (1 - covered))[..., None]).reshape(trust.shape)
    return (trust * (1 - covered * ramp(there, *REPLACED))).astype(np.float32), hair


def _facing(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Cosine between the normal and the line of sight at each vertex (V,)."""
    sight = -points / np.linalg.norm(points, axis=1, keepdims=True)
    return (mesh_normals(points, faces) * sight).sum(1)


def _margins(pixels: np.ndarray, texels: np.ndarray, atlas: TextureAtlas, pixels_per_metre: float):
    """Trust (S, S) by what hides what and how near the edges of it are; distance (S, S) from the outline."""
    low, high = pixels[:, :2].min(0), pixels[:, :2].max(0)
    zoom = (DEPTH_SIZE - 5) / max(float((high - low).max()), 1.0)
    place = (pixels[:, :2] - low) * zoom + 2
    width, height = (np.ceil((high - low) * zoom) + 5).astype(int)
    screen = np.column_stack([place, pixels[:, 2]]).astype(np.float32)
    fragments = rasterize(torch.from_numpy(screen)[None], torch.from_numpy(atlas.faces), height, width, backend="numba")
    index, weights = fragments.face_index[0].numpy(), fragments.barycentric[0].numpy()
    far = float(pixels[:, 2].max()) + 1.0
    depth = np.where(index >= 0, (screen[atlas.faces[index], 2] * weights).sum(-1), far).astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    jump = cv2.dilate(depth, kernel) - cv2.erode(depth, kernel) > DEPTH_JUMP_M
    metre = pixels_per_metre * zoom
    # The neck counts as background: collars hide it, and its fit is the loosest.
    beyond = (index < 0) | atlas.neck_faces[index]
    outline, behind = (
        cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, 5) / metre for edge in (beyond, jump)
    )
    trust = ramp(outline, *OUTLINE_MARGIN_M) * ramp(behind, *JUMP_MARGIN_M)
    column, row = ((texels[..., i] - low[i]) * zoom + 2 for i in (0, 1))
    column, row = column.astype(np.float32), row.astype(np.float32)
    nearest = cv2.remap(depth, column, row, cv2.INTER_NEAREST, borderValue=far)
    seen = texels[..., 2] < nearest + DEPTH_TOLERANCE_M
    trust, outline = (cv2.remap(x.astype(np.float32), column, row, cv2.INTER_LINEAR) for x in (trust, outline))
    return np.where(seen, trust, 0), outline


def _sample(photo: Image, texels: np.ndarray, pixels: np.ndarray, size: int) -> np.ndarray:
    """Lab colours (S, S, 3); a photo much finer than the texture is shrunk first, by area."""
    height, width = photo.shape[:2]
    low = np.clip(np.floor(pixels[:, :2].min(0)) - 4, 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(pixels[:, :2].max(0)) + 5, low + 1, (width, height)).astype(int)
    crop = photo[low[1] : high[1], low[0] : high[0]]
    zoom = min(1.0, size / max(float(np.ptp(pixels[:, :2], axis=0).max()), 1.0))
    if zoom < 0.9:
        shape = (max(1, round(crop.shape[1] * zoom)), max(1, round(crop.shape[0] * zoom)))
        shrink = np.array(shape) / (crop.shape[1], crop.shape[0])
        crop = cv2.resize(crop, shape, interpolation=cv2.INTER_AREA)
    else:
        shrink = np.ones(2)
    lab = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    column, row = ((texels[..., i] - low[i] + 0.5) * shrink[i] - 0.5 for i in (0, 1))
    return cv2.remap(
        lab, column.astype(np.float32), row.astype(np.float32), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
