"""Wavefront OBJ with its material and texture beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facerecon.export.mesh import Surface
from facerecon.images import atomic_write, save_image


def write_obj(stem: Path, surface: Surface) -> list[Path]:
    """Write ``STEM.obj``, ``STEM.mtl`` and, where there is a texture, ``STEM.png``.

    The OBJ comes last: where it lies, the files it names lie too.
    """
    obj, mtl, png = (stem.with_name(f"{stem.name}.{ending}") for ending in ("obj", "mtl", "png"))
    material = ["newmtl head", "Ka 1 1 1", "Kd 1 1 1" if surface.texture is not None else "Kd 0.8 0.62 0.53", "Ks 0 0 0", "d 1", "illum 1"]
    written = []
    if surface.texture is not None:
        save_image(png, surface.texture)
        material.append(f"map_Kd {png.name}")
        written.append(png)
    _write_text(mtl, "\n".join(material) + "\n")
    _write_text(obj, _obj_text(surface, mtl.name))
    return [obj, mtl, *written]


def _obj_text(surface: Surface, material_file: str) -> str:
    lines = ["# facerecon head, metres, y up", f"mtllib {material_file}", "o head"]
    lines += ["v %.6f %.6f %.6f" % tuple(row) for row in surface.positions.tolist()]
    lines += ["vt %.6f %.6f" % tuple(row) for row in surface.mesh.uv.tolist()]
    lines += ["vn %.4f %.4f %.4f" % tuple(row) for row in surface.normals.tolist()]
    lines.append("usemtl head")
    corners = np.repeat(surface.mesh.faces + 1, 3, axis=1).tolist()
    lines += ["f %d/%d/%d %d/%d/%d %d/%d/%d" % tuple(row) for row in corners]
    return "\n".join(lines) + "\n"


def _write_text(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")


def write_plain_obj(path: Path, vertices: np.ndarray, faces: np.ndarray) -> Path:
    """Write a mesh of any topology, (V, 3) metres and (F, 3), without normals or texture."""
    lines = ["# facerecon head, metres, y up", "o head"]
    lines += ["v %.6f %.6f %.6f" % tuple(row) for row in np.asarray(vertices).tolist()]
    lines += ["f %d %d %d" % tuple(row) for row in (np.asarray(faces) + 1).tolist()]
    _write_text(path, "\n".join(lines) + "\n")
    return path
