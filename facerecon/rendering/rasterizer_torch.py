"""The z-buffer in plain torch, for any device.

Every (triangle, pixel of its bounding box) pair is tested at once; the nearest
triangle of each pixel wins by a scattered maximum over 64-bit keys whose upper
half is the inverse depth and whose lower half names the triangle.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facerecon.rendering.rasterizer_cpu import EDGE_TOLERANCE, SMALLEST_AREA

PAIRS_AT_ONCE = 1 << 23  # bounds the memory: about 1 GB while a chunk is tested


def draw_batch(vertices: Tensor, faces: Tensor, height: int, width: int, near: float, cull: bool) -> Tensor:
    """Which triangle each pixel sees.

    Args:
        vertices: (B, V, 3) float32: u, v in pixels, depth.
        faces: (F, 3) int64 on the same device.
        height: rows of the picture.
        width: columns.
        near: triangles that reach nearer than this depth are left out.
        cull: leave out triangles seen from behind.

    Returns:
        (B, H, W) int64, -1 where empty.
    """
    batch, count = vertices.shape[0], faces.shape[0]
    corners = vertices[:, faces].reshape(batch * count, 3, 3)
    low, extent = _boxes(corners, height, width, near, cull)
    areas = extent.prod(dim=1)
    drawn = areas.nonzero().squeeze(1)
    ends = areas[drawn].cumsum(0)
    keys = torch.full((batch * height * width,), -1, dtype=torch.int64, device=vertices.device)
    start = 0
    while start < len(drawn):
        done = int(ends[start - 1]) if start else 0
        limit = torch.tensor(done + PAIRS_AT_ONCE, device=ends.device)
        stop = max(int(torch.searchsorted(ends, limit, right=True)), start + 1)
        chosen = drawn[start:stop]
        _test_pairs(corners[chosen], chosen, count, low[chosen], extent[chosen], height, width, keys)
        start = stop
    face_index = count - 1 - (keys & 0xFFFFFFFF)
    return torch.where(keys >= 0, face_index, -1).reshape(batch, height, width)


def _boxes(corners: Tensor, height: int, width: int, near: float, cull: bool) -> tuple[Tensor, Tensor]:
    """First pixel (N, 2) and extent (N, 2) of each triangle's box; extent zero where nothing is to be drawn."""
    limit = torch.tensor([width - 1.0, height - 1.0], device=corners.device)
    finite = corners.isfinite().all(dim=2).all(dim=1)
    points = torch.where(finite[:, None, None], corners[..., :2], torch.zeros_like(corners[..., :2]))
    low = points.amin(1).clamp_min(0).minimum(limit + 1).ceil()
    high = points.amax(1).clamp_min(-1).minimum(limit).floor()
    edge_b, edge_c = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
    area = edge_b[:, 0] * edge_c[:, 1] - edge_c[:, 0] * edge_b[:, 1]
    keep = finite & (corners[..., 2] > near).all(dim=1) & (area.abs() > SMALLEST_AREA)
    if cull:
        keep &= area < 0
    extent = (high - low + 1).clamp_min(0) * keep[:, None]
    return low.long(), extent.long()


def _test_pairs(
    corners: Tensor, owner: Tensor, count: int, low: Tensor, extent: Tensor, height: int, width: int, keys: Tensor
) -> None:
    """Test every pixel in the boxes of the triangles given (N, 3, 3); raise ``keys`` (B * H * W) in place."""
    areas = extent.prod(dim=1)
    pair = torch.repeat_interleave(torch.arange(len(areas), device=areas.device), areas)
    rank = torch.arange(len(pair), device=pair.device) - (areas.cumsum(0) - areas)[pair]
    columns = extent[pair, 0]
    x = low[pair, 0] + rank % columns
    y = low[pair, 1] + torch.div(rank, columns, rounding_mode="floor")

    origin, depth = corners[:, 0, :2], corners[..., 2]
    edge_b, edge_c = corners[:, 1, :2] - origin, corners[:, 2, :2] - origin
    inverse_area = 1.0 / (edge_b[:, 0] * edge_c[:, 1] - edge_c[:, 0] * edge_b[:, 1])
    table = torch.cat((origin, edge_b, edge_c, inverse_area[:, None], 1.0 / depth), dim=1)[pair]
    xa, ya, xb, yb, xc, yc, inverse, ia, ib, ic = table.unbind(1)
    dx, dy = x - xa, y - ya
    weight_b = (dx * yc - xc * dy) * inverse
    weight_c = (xb * dy - dx * yb) * inverse
    inside = (
        (weight_b >= -EDGE_TOLERANCE)
        & (weight_c >= -EDGE_TOLERANCE)
        & (weight_b + weight_c <= 1.0 + EDGE_TOLERANCE)
    )
    value = ia + weight_b * (ib - ia) + weight_c * (ic - ia)
    # The bits of a positive float grow with it: they sort as integers do.
    bits = value.clamp_min(0).view(torch.int32).long()
    owner = owner[pair]
    key = (bits << 32) | (count - 1 - owner % count)
    target = (torch.div(owner, count, rounding_mode="floor") * height + y) * width + x
    keys.scatter_reduce_(0, target[inside], key[inside], "amax")
