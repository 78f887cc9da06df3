"""Attributes of a mesh, spread over the pixels that see it."""

from __future__ import annotations

import torch
from torch import Tensor

from facerecon.rendering.fragments import Fragments

SMALLEST_AREA = 1e-9


def interpolate(attributes: Tensor, faces: Tensor, fragments: Fragments) -> Tensor:
    """Spread attributes over the picture; differentiable in the attributes.

    Args:
        attributes: (B, V, C), or (1, V, C) shared by the batch.
        faces: (F, 3) integers into V; for UV coordinates give ``head.uv_faces``.
        fragments: of the rasteriser.

    Returns:
        (B, H, W, C), zero where the pixel is empty.
    """
    pixels = fragments.mask.flatten().nonzero().squeeze(1)
    weights = fragments.barycentric.flatten(0, 2)[pixels]
    return _weighted(attributes, faces, fragments.face_index, pixels, weights.to(attributes.dtype))


def interpolate_screen(attributes: Tensor, pixel_vertices: Tensor, faces: Tensor, fragments: Fragments,
                       attribute_faces: Tensor | None = None) -> Tensor:
    """Spread attributes over the picture; differentiable in the attributes and in the vertices.

    The visible triangle of each pixel is taken as given, as in Liu et al. and
    most differentiable renderers without soft edges: silhouettes carry no gradient.

    Args:
        attributes: (B, V, C) or (1, V, C).
        pixel_vertices: (B, V, 3) u, v, depth: what ``rasterize`` was given.
        faces: (F, 3) triangles of ``pixel_vertices``.
        fragments: of the rasteriser.
        attribute_faces: (F, 3) triangles of ``attributes`` where they differ (UV coordinates).

    Returns:
        (B, H, W, C), zero where the pixel is empty.
    """
    face_index = fragments.face_index
    pixels = fragments.mask.flatten().nonzero().squeeze(1)
    weights = _screen_weights(pixel_vertices, faces, face_index, pixels)
    return _weighted(attributes, faces if attribute_faces is None else attribute_faces, face_index, pixels, weights)


def screen_barycentrics(pixel_vertices: Tensor, faces: Tensor, face_index: Tensor) -> Tensor:
    """Perspective-correct barycentrics, differentiable in the vertices.

    Args:
        pixel_vertices: (B, V, 3) u, v in pixels and depth.
        faces: (F, 3).
        face_index: (B, H, W) the triangle of each pixel, -1 where empty.

    Returns:
        (B, H, W, 3), zero where empty.
    """
    pixels = (face_index.flatten() >= 0).nonzero().squeeze(1)
    weights = _screen_weights(pixel_vertices, faces, face_index, pixels)
    return _place(weights, pixels, face_index)


def _screen_weights(pixel_vertices: Tensor, faces: Tensor, face_index: Tensor, pixels: Tensor) -> Tensor:
    """Weights (P, 3) of the pixels listed (P,), flat positions in (B, H, W)."""
    corners = _corners(pixel_vertices, faces, face_index, pixels)
    x = (pixels % face_index.shape[2]).to(corners.dtype)
    y = (torch.div(pixels, face_index.shape[2], rounding_mode="floor") % face_index.shape[1]).to(corners.dtype)
    (xa, ya), (xb, yb), (xc, yc) = (corners[:, i, :2].unbind(1) for i in range(3))
    xb, yb, xc, yc = xb - xa, yb - ya, xc - xa, yc - ya
    dx, dy = x - xa, y - ya
    area = xb * yc - xc * yb
    area = torch.where(area.abs() < SMALLEST_AREA, torch.full_like(area, SMALLEST_AREA), area)
    weight_b = (dx * yc - xc * dy) / area
    weight_c = (xb * dy - dx * yb) / area
    screen = torch.stack((1 - weight_b - weight_c, weight_b, weight_c), dim=1)
    over_depth = screen / corners[..., 2]
    return over_depth / over_depth.sum(dim=1, keepdim=True)


def _weighted(attributes: Tensor, faces: Tensor, face_index: Tensor, pixels: Tensor, weights: Tensor) -> Tensor:
    values = (_corners(attributes, faces, face_index, pixels) * weights[..., None]).sum(dim=1)
    return _place(values, pixels, face_index)


def _corners(attributes: Tensor, faces: Tensor, face_index: Tensor, pixels: Tensor) -> Tensor:
    """Attributes (P, 3, C) at the corners of each listed pixel's triangle."""
    batch, height, width = face_index.shape
    if attributes.shape[0] not in (1, batch):
        raise ValueError(f"attributes have {attributes.shape[0]} items, the fragments {batch}")
    index = faces.to(pixels.device).long()[face_index.flatten()[pixels]]
    if attributes.shape[0] > 1:
        item = torch.div(pixels, height * width, rounding_mode="floor")
        index = index + item[:, None] * attributes.shape[1]
    # index_select's gradient is one index_add, far cheaper than that of indexing.
    chosen = attributes.flatten(0, 1).index_select(0, index.flatten())
    return chosen.reshape(-1, 3, attributes.shape[2])


def _place(values: Tensor, pixels: Tensor, face_index: Tensor) -> Tensor:
    """Lay the values (P, C) of the listed pixels into an empty picture (B, H, W, C)."""
    picture = values.new_zeros(face_index.numel(), values.shape[1])
    return picture.index_copy(0, pixels, values).reshape(*face_index.shape, values.shape[1])
