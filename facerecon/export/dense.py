"""A mesh fine enough to hold a head's detail as geometry."""

from __future__ import annotations

import numpy as np
import torch

from facerecon.export.mesh import SplitMesh, Surface, mesh_tangents
from facerecon.rendering.shading import bend_normals, sample_texture
from facerecon.types import Detail

LEVELS = 2  # each makes four triangles of one: edges of about a millimetre


def dense_surface(surface: Surface, detail: Detail, levels: int = LEVELS) -> Surface:
    """The surface divided and displaced, as DECA's detail mesh; normals are those of the normal map, bent from the smooth ones.

    Args:
        surface: vertices split at UV seams.
        detail: what displaces them.
        levels: how many times every triangle becomes four.
    """
    tangents = mesh_tangents(surface.positions, surface.normals, _itself(surface.mesh))
    values = np.concatenate([surface.positions, surface.normals, tangents, surface.mesh.uv], axis=1).astype(np.float32)
    faces, source = surface.mesh.faces, surface.mesh.source
    for _ in range(levels):
        values, faces, source = subdivide(values, faces, source)
    positions, normals, tangents, uv = np.split(values, (3, 6, 10), axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    maps = np.dstack([detail.displacement_m, detail.normal_map.astype(np.float32) / 255]).transpose(2, 0, 1)
    uv, normals, tangents = (torch.from_numpy(np.ascontiguousarray(x)) for x in (uv, normals, tangents))
    sampled = sample_texture(torch.from_numpy(np.ascontiguousarray(maps))[None], uv[None, None])[0, 0]
    bent, uv = bend_normals(normals, tangents, sampled[:, 1:]).numpy(), uv.numpy()
    moved = positions + sampled[:, :1].numpy() * normals.numpy()
    return Surface(moved.astype(np.float32), bent.astype(np.float32), SplitMesh(source, uv, faces), surface.texture)


def subdivide(values: np.ndarray, faces: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every triangle made four at the middles of its edges.

    Args:
        values: (N, C) of the vertices.
        faces: (F, 3).
        source: (N,) what each vertex was made from; a middle takes its edge's first.

    Returns:
        values (N + E, C), faces (4 F, 3), source (N + E,).
    """
    ends = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    edges, of = np.unique(ends[:, 0] * len(values) + ends[:, 1], return_inverse=True)
    first, second = edges // len(values), edges % len(values)
    a, b, c = faces.T
    ab, bc, ca = (of.reshape(-1, 3) + len(values)).T
    split = np.stack([np.stack(t, axis=1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))], axis=1)
    middles = (values[first] + values[second]) / 2
    return np.concatenate([values, middles]), split.reshape(-1, 3), np.concatenate([source, source[first]])


def _itself(mesh: SplitMesh) -> SplitMesh:
    return SplitMesh(np.arange(len(mesh.uv)), mesh.uv, mesh.faces)
