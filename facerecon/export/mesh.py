"""The one mesh that every format writes: vertices split where the UV atlas has seams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch

from facerecon.rendering import vertex_normals
from facerecon.rendering.shading import vertex_tangents
from facerecon.types import Image, Reconstruction


@dataclass(frozen=True)
class SplitMesh:
    """A mesh with one UV coordinate a vertex.

    Attributes:
        source: (N,) int64, the head's vertex that each split vertex copies.
        uv: (N, 2) float32, origin at the lower left.
        faces: (F, 3) int64 into the split vertices.
    """

    source: np.ndarray
    uv: np.ndarray
    faces: np.ndarray


@dataclass(frozen=True)
class Surface:
    """What OBJ and PLY write, and glTF starts from.

    Attributes:
        positions: (N, 3) float32 metres.
        normals: (N, 3) float32, unit.
        mesh: the topology and UV.
        texture: (T, T, 3) uint8 or None.
    """

    positions: np.ndarray
    normals: np.ndarray
    mesh: SplitMesh
    texture: Image | None


def uv_split_mesh(head: Any) -> SplitMesh:
    """Split a head's vertices at its UV seams; the order follows the head's vertices."""
    faces, uv_faces = head.faces.cpu().numpy(), head.uv_faces.cpu().numpy()
    uv = head.uv.cpu().numpy().astype(np.float32)
    pairs = faces.astype(np.int64) * len(uv) + uv_faces
    unique, corner = np.unique(pairs, return_inverse=True)
    return SplitMesh(unique // len(uv), uv[unique % len(uv)], corner.reshape(faces.shape))


def unit_normals(vertices: np.ndarray, head: Any) -> np.ndarray:
    """Normals (B, V, 3) float32 of vertices (B, V, 3), smooth across UV seams, never zero."""
    normals = vertex_normals(torch.from_numpy(np.ascontiguousarray(vertices, np.float32)), head.faces.cpu()).numpy()
    normals[np.square(normals).sum(-1) < 0.5] = (0.0, 0.0, 1.0)
    return normals


def mesh_tangents(vertices: np.ndarray, normals: np.ndarray, mesh: SplitMesh) -> np.ndarray:
    """Tangents (N, 4) float32 of a split mesh, of the head's vertices and normals (V, 3); see ``vertex_tangents``."""
    split = (torch.from_numpy(np.ascontiguousarray(values[mesh.source], np.float32)) for values in (vertices, normals))
    return vertex_tangents(*split, torch.from_numpy(mesh.faces), torch.from_numpy(mesh.uv)).numpy()


def surface(reconstruction: Reconstruction, head: Any, mesh: SplitMesh) -> Surface:
    """The head as the photo shows it, expression included, without head pose."""
    vertices = np.asarray(reconstruction.vertices, np.float32)
    normals = unit_normals(vertices[None], head)[0]
    return Surface(vertices[mesh.source], normals[mesh.source], mesh, reconstruction.texture)


def vertex_colours(texture: Image, uv: np.ndarray) -> np.ndarray:
    """Colours (N, 3) uint8 of a texture (T, T, 3), bilinear at uv (N, 2)."""
    height, width = texture.shape[:2]
    x = (uv[:, :1] * width - 0.5).astype(np.float32)
    y = ((1 - uv[:, 1:]) * height - 0.5).astype(np.float32)
    return cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(-1, 3)
