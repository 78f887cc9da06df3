"""Cuts the head out of the MakeHuman base mesh and adds finer eyes and teeth.

Vertex order: skin (with eye sockets and mouth cavity), tongue, left eyeball,
right eyeball, upper gums and teeth, lower gums and teeth. The first two blocks
are base-mesh vertices, so that the head can continue into MakeHuman's body.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import fast_simplification
import numpy as np
from scipy.spatial import cKDTree

from facerecon.reconstruction.texture_seams import components
from train.head.makehuman import Clothing, Mesh, read_clothing, read_mirror, segment_faces

NECK_RINGS = 5
"""Rings of faces added below the cut of the head, down to the clavicle."""

GUM_REACH = 0.007
"""Gum faces further than this from every tooth (metres) are left out; the mouth cavity stands behind them."""

TOOTH_REDUCTION = 0.55
GUM_REDUCTION = 0.62

HEAD_LABELS = ("head", "eye_cavity.R", "eye_cavity.L", "mouth_cavity")


@dataclass(frozen=True)
class EyeSubdivision:
    """One step of sphere-true subdivision: every new vertex averages ``parents`` of the old eyeball."""

    base: np.ndarray
    parents: list[np.ndarray]
    quads: np.ndarray

    def place(self, base_vertices: np.ndarray) -> np.ndarray:
        """Eyeball vertices (E, 3) on a deformed base mesh, new ones pushed out to the sphere."""
        old = base_vertices[self.base]
        centre = old.mean(0)
        points = []
        for parents in self.parents:
            relative = old[parents] - centre
            radius = np.linalg.norm(relative, axis=1).mean()
            direction = relative.mean(0)
            points.append(centre + direction / np.linalg.norm(direction) * radius)
        return np.array(points)


@dataclass(frozen=True)
class Topology:
    """The head's mesh and where each vertex comes from.

    Attributes:
        base: (B,) base-mesh index of each skin and tongue vertex.
        eyes: the two eyeballs, left first.
        teeth: the bound teeth mesh; ``teeth_vertices`` of it are kept, upper jaw first.
        faces: (F, 3) triangles; ``parts`` (F,) their part's name.
        corner_uv: (F, 3, 2) MakeHuman UV of every corner (zero for eyes and teeth).
        blocks: name to slice of vertices.
        neck_ring: (B,) 0 on the head, 1 to ``NECK_RINGS`` down the neck.
        mirror: (B + 2E,) index of the mirror image of every vertex but teeth.
    """

    base: np.ndarray
    eyes: tuple[EyeSubdivision, EyeSubdivision]
    teeth: Clothing
    teeth_vertices: np.ndarray
    faces: np.ndarray
    parts: np.ndarray
    corner_uv: np.ndarray
    blocks: dict[str, slice]
    neck_ring: np.ndarray
    mirror: np.ndarray

    def place(self, base_vertices: np.ndarray) -> np.ndarray:
        """All vertices (V, 3), metres, for a deformed base mesh (19158, 3)."""
        teeth = self.teeth.place(base_vertices)[self.teeth_vertices]
        eyes = [eye.place(base_vertices) for eye in self.eyes]
        return np.concatenate([base_vertices[self.base], *eyes, teeth])


def select_skin(data: Path, mesh: Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picks the body's faces of the head and neck.

    Returns:
        face indices of the group ``body`` (F,), their labels (F,), and the ring
        number (19158,) of every base vertex (-1 where unused).
    """
    labels = segment_faces(data, mesh, "body")
    quads = mesh.quads["body"]
    chosen = np.isin(labels, HEAD_LABELS)
    ring = np.full(len(mesh.vertices), -1)
    ring[quads[chosen]] = 0
    for number in range(1, NECK_RINGS + 1):
        added = (ring[quads] >= 0).any(1) & ~chosen
        labels[added] = "neck"
        chosen |= added
        fresh = np.unique(quads[added])
        ring[fresh[ring[fresh] < 0]] = number
    return np.flatnonzero(chosen), labels[chosen], ring


def subdivide_eye(mesh: Mesh, group: str) -> EyeSubdivision:
    """Splits every quad of an eyeball into four."""
    base = mesh.group_vertices(group)
    local = np.searchsorted(base, mesh.quads[group])
    parents = [np.array([i]) for i in range(len(base))]
    edges: dict[tuple[int, int], int] = {}

    def midpoint(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in edges:
            edges[key] = len(parents)
            parents.append(np.array(key))
        return edges[key]

    quads = []
    for a, b, c, d in local:
        ab, bc, cd, da = midpoint(a, b), midpoint(b, c), midpoint(c, d), midpoint(d, a)
        centre = len(parents)
        parents.append(np.array([a, b, c, d]))
        quads += [[a, ab, centre, da], [ab, b, bc, centre], [centre, bc, c, cd], [da, centre, cd, d]]
    return EyeSubdivision(base, parents, np.array(quads))


def triangulate(quads: np.ndarray) -> np.ndarray:
    """(F, 4, ...) quads to (2F, 3, ...) triangles; a repeated last corner gives a single triangle."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _decimate(vertices: np.ndarray, faces: np.ndarray, reduction: float) -> np.ndarray:
    """Faces over a subset of the given vertices, about ``1 - reduction`` of them left."""
    used, local = np.unique(faces, return_inverse=True)
    points, simple = fast_simplification.simplify(
        (vertices[used] * 1000).astype(np.float32), local.reshape(-1, 3).astype(np.int32), reduction
    )
    nearest = cKDTree(vertices[used] * 1000).query(points)[1]
    result = used[nearest[simple]]
    distinct = (result[:, 0] != result[:, 1]) & (result[:, 1] != result[:, 2]) & (result[:, 0] != result[:, 2])
    return result[distinct]


def reduce_teeth(teeth: Clothing, base_vertices: np.ndarray) -> dict[str, np.ndarray]:
    """Thins the teeth (3,868 vertices) to what a mouth shows.

    Returns:
        Triangles over the teeth mesh's own vertices by part: ``upper_teeth``,
        ``upper_gums``, ``lower_teeth``, ``lower_gums``.
    """
    points = teeth.place(base_vertices)
    faces = triangulate(teeth.mesh.quads["all"] if "all" in teeth.mesh.quads else np.concatenate(list(teeth.mesh.quads.values())))
    component = components(faces, len(points))
    sizes = np.bincount(component)
    gums = sizes.argmax()
    tooth_names = [i for i in range(len(sizes)) if i != gums]
    centres = {i: points[component == i].mean(0) for i in tooth_names}
    # The two rows of crowns overlap in height, but at equal depth the upper one is always the higher.
    upper = {i for i in tooth_names if _is_upper(centres[i], list(centres.values()))}
    parts: dict[str, list] = {name: [] for name in ("upper_teeth", "upper_gums", "lower_teeth", "lower_gums")}
    for i in tooth_names:
        jaw = "upper" if i in upper else "lower"
        parts[f"{jaw}_teeth"].append(_decimate(points, faces[component[faces[:, 0]] == i], TOOTH_REDUCTION))
    crowns = np.flatnonzero(component != gums)
    gum_faces = faces[component[faces[:, 0]] == gums]
    distance, nearest = cKDTree(points[crowns]).query(points[gum_faces].mean(1))
    jaw_of = np.array([component[c] in upper for c in crowns])[nearest]
    for name, side in (("upper_gums", True), ("lower_gums", False)):
        parts[name].append(_decimate(points, gum_faces[(distance < GUM_REACH) & (jaw_of == side)], GUM_REDUCTION))
    return {name: np.concatenate(pieces) for name, pieces in parts.items()}


def _is_upper(centre: np.ndarray, others: list[np.ndarray]) -> bool:
    same_side = [o for o in others if o[0] * centre[0] > 0]
    nearest = sorted(same_side, key=lambda o: abs(o[2] - centre[2]) + abs(o[0] - centre[0]))[:4]
    heights = [o[1] for o in nearest]
    return centre[1] > (min(heights) + max(heights)) / 2


def build_topology(data: Path, mesh: Mesh, teeth_path: Path) -> Topology:
    """Assembles the head's topology from the base mesh and a bound teeth asset."""
    chosen, labels, ring = select_skin(data, mesh)
    skin_quads, skin_uv = mesh.quads["body"][chosen], mesh.quads_uv["body"][chosen]
    skin, tongue = np.unique(skin_quads), mesh.group_vertices("helper-tongue")
    base = np.concatenate([skin, tongue])
    where = np.full(len(mesh.vertices), -1)
    where[base] = np.arange(len(base))
    eyes = (subdivide_eye(mesh, "helper-l-eye"), subdivide_eye(mesh, "helper-r-eye"))
    teeth = read_clothing(teeth_path)
    jaws = reduce_teeth(teeth, mesh.vertices)
    upper = np.unique(np.concatenate([jaws["upper_teeth"], jaws["upper_gums"]]))
    lower = np.unique(np.concatenate([jaws["lower_teeth"], jaws["lower_gums"]]))
    lower = np.setdiff1d(lower, upper)
    teeth_vertices = np.concatenate([upper, lower])

    starts = np.cumsum([0, len(skin), len(tongue), len(eyes[0].parents), len(eyes[1].parents), len(upper), len(lower)])
    names = ("skin", "tongue", "left_eyeball", "right_eyeball", "upper_teeth", "lower_teeth")
    blocks = {name: slice(int(a), int(b)) for name, a, b in zip(names, starts[:-1], starts[1:])}

    faces = [triangulate(where[skin_quads]), triangulate(where[mesh.quads["helper-tongue"]])]
    corner_uv = [triangulate(mesh.uv[skin_uv]), triangulate(mesh.uv[mesh.quads_uv["helper-tongue"]])]
    parts = [np.concatenate([labels, labels]), np.full(len(faces[1]), "tongue", dtype=object)]
    for name, eye in zip(("left_eyeball", "right_eyeball"), eyes):
        faces.append(triangulate(eye.quads) + blocks[name].start)
        parts.append(np.full(len(faces[-1]), name, dtype=object))
    position = np.full(len(teeth.mesh.vertices), -1)
    position[teeth_vertices] = blocks["upper_teeth"].start + np.arange(len(teeth_vertices))
    for name, jaw in jaws.items():
        faces.append(position[jaw])
        parts.append(np.full(len(jaw), name, dtype=object))
    corner_uv += [np.zeros((len(f), 3, 2)) for f in faces[2:]]

    mirror_base = read_mirror(data)
    mirror = np.concatenate([where[mirror_base[base]], _mirror_eyes(eyes, mesh.vertices, blocks)])
    return Topology(
        base, eyes, teeth, teeth_vertices, np.concatenate(faces), np.concatenate(parts).astype(str),
        np.concatenate(corner_uv), blocks, ring[base], mirror,
    )


def _mirror_eyes(eyes: tuple, base_vertices: np.ndarray, blocks: dict[str, slice]) -> np.ndarray:
    left, right = (eye.place(base_vertices) for eye in eyes)
    flip = np.array([-1.0, 1.0, 1.0])
    to_right = cKDTree(right).query(left * flip)[1] + blocks["right_eyeball"].start
    to_left = cKDTree(left).query(right * flip)[1] + blocks["left_eyeball"].start
    return np.concatenate([to_right, to_left])
