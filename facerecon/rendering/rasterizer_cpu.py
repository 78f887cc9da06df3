"""The z-buffer on the CPU, compiled by numba.

Scan conversion of Pineda (1988): edge functions over each triangle's bounding
box. Inverse depth, which is linear in the picture, decides what is seen. The
lock of the interpreter is released, so loader threads draw side by side.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# Edges are taken a hair too wide: two triangles never leave a crack between them.
EDGE_TOLERANCE = 1e-5
SMALLEST_AREA = 1e-9


@njit(cache=True, nogil=True, error_model="numpy")
def _draw(vertices, faces, near, cull, inverse_depth, face_index):
    """Fill the z-buffer (H, W) of one mesh; pixels nearer than what is there win."""
    height, width = face_index.shape
    for face in range(faces.shape[0]):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        depth_a, depth_b, depth_c = vertices[a, 2], vertices[b, 2], vertices[c, 2]
        if not (depth_a > near and depth_b > near and depth_c > near):
            continue
        xa, ya = vertices[a, 0], vertices[a, 1]
        xb, yb = vertices[b, 0] - xa, vertices[b, 1] - ya
        xc, yc = vertices[c, 0] - xa, vertices[c, 1] - ya
        area = xb * yc - xc * yb
        # v points down: a triangle wound counter-clockwise has a negative area.
        if not abs(area) > SMALLEST_AREA or (cull and area > 0):
            continue
        low_x, high_x = xa + min(0.0, xb, xc), xa + max(0.0, xb, xc)
        low_y, high_y = ya + min(0.0, yb, yc), ya + max(0.0, yb, yc)
        if not (high_x >= 0 and low_x <= width - 1 and high_y >= 0 and low_y <= height - 1):
            continue
        x0, x1 = math.ceil(max(low_x, 0.0)), math.floor(min(high_x, width - 1.0))
        y0, y1 = math.ceil(max(low_y, 0.0)), math.floor(min(high_y, height - 1.0))
        inverse_area = 1.0 / area
        inverse_a = 1.0 / depth_a
        slope_b = 1.0 / depth_b - inverse_a
        slope_c = 1.0 / depth_c - inverse_a
        for y in range(y0, y1 + 1):
            dy = y - ya
            for x in range(x0, x1 + 1):
                dx = x - xa
                weight_b = (dx * yc - xc * dy) * inverse_area
                weight_c = (xb * dy - dx * yb) * inverse_area
                if (
                    weight_b >= -EDGE_TOLERANCE
                    and weight_c >= -EDGE_TOLERANCE
                    and weight_b + weight_c <= 1.0 + EDGE_TOLERANCE
                ):
                    value = np.float32(inverse_a + weight_b * slope_b + weight_c * slope_c)
                    if value > inverse_depth[y, x]:
                        inverse_depth[y, x] = value
                        face_index[y, x] = face


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh(vertices, faces, face_index, barycentric):
    """Write the perspective-correct weights of each pixel's triangle, (H, W, 3)."""
    height, width = face_index.shape
    for y in range(height):
        for x in range(width):
            face = face_index[y, x]
            if face < 0:
                continue
            a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
            xa, ya = vertices[a, 0], vertices[a, 1]
            xb, yb = vertices[b, 0] - xa, vertices[b, 1] - ya
            xc, yc = vertices[c, 0] - xa, vertices[c, 1] - ya
            inverse_area = 1.0 / (xb * yc - xc * yb)
            dx, dy = x - xa, y - ya
            weight_b = (dx * yc - xc * dy) * inverse_area
            weight_c = (xb * dy - dx * yb) * inverse_area
            weight_a = (1.0 - weight_b - weight_c) / vertices[a, 2]
            weight_b /= vertices[b, 2]
            weight_c /= vertices[c, 2]
            scale = 1.0 / (weight_a + weight_b + weight_c)
            barycentric[y, x, 0] = weight_a * scale
            barycentric[y, x, 1] = weight_b * scale
            barycentric[y, x, 2] = weight_c * scale


@njit(cache=True, nogil=True, error_model="numpy")
def draw_batch(vertices, faces, near, cull, face_index, barycentric):
    """Draw a batch of meshes, one after another.

    Args:
        vertices: (B, V, 3) float32: u, v in pixels, depth.
        faces: (F, 3) int64.
        near: triangles that reach nearer than this depth are left out.
        cull: leave out triangles seen from behind.
        face_index: (B, H, W) int64 filled with -1; written.
        barycentric: (B, H, W, 3) float32 zeros; written.
    """
    inverse_depth = np.empty(face_index.shape[1:], np.float32)
    for item in range(vertices.shape[0]):
        inverse_depth[:] = 0.0
        _draw(vertices[item], faces, near, cull, inverse_depth, face_index[item])
        _weigh(vertices[item], faces, face_index[item], barycentric[item])
