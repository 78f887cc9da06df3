"""``export_head``: one reconstruction in every format asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facerecon.export.animation import Clip
from facerecon.export.dense import dense_surface
from facerecon.export.gltf import write_glb, write_gltf
from facerecon.export.mesh import surface, uv_split_mesh
from facerecon.export.obj import write_obj
from facerecon.export.ply import write_ply
from facerecon.export.rig import build_rig
from facerecon.output_names import DENSE, FORMATS
from facerecon.types import FaceReconError, Reconstruction


class ExportError(FaceReconError):
    """A head could not be written in the format asked for."""


def export_head(
    path_stem: str | Path,
    reconstruction: Reconstruction,
    head: Any,
    formats: Sequence[str] = FORMATS,
    clip: Clip | None = None,
) -> list[Path]:
    """Write a head as files.

    ``obj`` and ``ply`` hold the head with the expression of the photo; ``glb`` and
    ``gltf`` the neutral head, its 52 expressions as morph targets set to the photo's,
    and joints for neck and eyes. All have the same vertices in the same order. ``dense``
    is an OBJ with sixteen times the triangles, displaced by the head's detail.

    Args:
        path_stem: folder and name without an ending; the folder is made where missing.
        reconstruction: the head.
        head: the ``HeadModel`` it was made with.
        formats: any of ``FORMATS``, and ``"dense"``.
        clip: what the head does, for ``glb`` and ``gltf``.

    Returns:
        The files, in the order of ``formats``; OBJ brings its MTL and PNG. Without detail there is no ``dense``.

    Raises:
        ExportError: an unknown format, or vertices that are not of this head model.
        ImageError: a file cannot be written.
    """
    stem = Path(path_stem)
    known = (*FORMATS, DENSE)
    unknown = [name for name in formats if name not in known]
    if unknown:
        raise ExportError(f"A head cannot be written as {unknown[0]!r}; choose from {', '.join(known)}.")
    if len(reconstruction.vertices) != head.vertex_count:
        raise ExportError(
            f"The reconstruction has {len(reconstruction.vertices)} vertices, its head model {head.vertex_count}."
        )
    mesh = uv_split_mesh(head)
    rig = build_rig(reconstruction, head) if {"glb", "gltf"} & set(formats) else None
    flat = surface(reconstruction, head, mesh) if {"obj", "ply", DENSE} & set(formats) else None
    files: list[Path] = []
    for name in formats:
        if name in ("glb", "gltf"):
            files += (write_glb if name == "glb" else write_gltf)(stem, reconstruction, mesh, rig, clip)
        elif name == DENSE:
            if reconstruction.detail is not None:
                files += write_obj(stem.with_name(f"{stem.name}_detail"), dense_surface(flat, reconstruction.detail))
        else:
            files += (write_obj if name == "obj" else write_ply)(stem, flat)
    return files
