"""Binary PLY with normals and vertex colours.

It holds no UV: a PLY names no texture of its own, and viewers that find UV look
for one and drop the colours.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facerecon.export.mesh import Surface, vertex_colours
from facerecon.images import atomic_write

_SKIN = (204, 158, 135)
_VERTEX = np.dtype(
    [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")]
    + [(name, "u1") for name in ("red", "green", "blue")]
)
_FACE = np.dtype([("count", "u1"), ("indices", "<i4", 3)])


def write_ply(stem: Path, surface: Surface) -> list[Path]:
    """Write ``STEM.ply``: the texture's colour at every vertex, a plain skin where there is no texture."""
    path = stem.with_name(f"{stem.name}.ply")
    vertices = np.zeros(len(surface.positions), _VERTEX)
    columns = np.concatenate((surface.positions, surface.normals), axis=1)
    for name, column in zip(_VERTEX.names, columns.T):
        vertices[name] = column
    colours = np.tile(np.uint8(_SKIN), (len(vertices), 1))
    if surface.texture is not None:
        colours = vertex_colours(surface.texture, surface.mesh.uv)
    for name, column in zip(("red", "green", "blue"), colours.T):
        vertices[name] = column
    faces = np.zeros(len(surface.mesh.faces), _FACE)
    faces["count"], faces["indices"] = 3, surface.mesh.faces
    with atomic_write(path) as temporary:
        Path(temporary).write_bytes(_header(len(vertices), len(faces)) + vertices.tobytes() + faces.tobytes())
    return [path]


def _header(vertices: int, faces: int) -> bytes:
    kinds = {"<f4": "float", "|u1": "uchar"}
    lines = ["ply", "format binary_little_endian 1.0", "comment facerecon head, metres, y up", f"element vertex {vertices}"]
    lines += [f"property {kinds[_VERTEX[name].str]} {name}" for name in _VERTEX.names]
    lines += [f"element face {faces}", "property list uchar int vertex_indices", "end_header"]
    return ("\n".join(lines) + "\n").encode("ascii")
