"""Region masks, read from MakeHuman's own pictures of regions in its UV square."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from facerecon.rendering import mesh_normals
from train.head.surface import openness
from train.head.topology import Topology

PICTURES = {"lips": "mpfb_lips.jpg", "ears": "mpfb_ears.jpg", "eyes": "mpfb_eyelids.jpg", "face": "mpfb_face.jpg"}
BLOCKS = ("left_eyeball", "right_eyeball", "tongue")


def region_masks(data: Path, topology: Topology, vertices: np.ndarray) -> dict[str, np.ndarray]:
    """Masks (V,) bool by name.

    ``skin`` is all outer skin, ``face`` the front of it (error metrics use it),
    ``eyes`` the lids, ``scalp`` what hair usually covers, ``neck`` all below the
    jaw, ``mouth_interior`` the cavity with teeth, gums and tongue.
    """
    count = len(vertices)
    by_part = {part: _vertices_of(topology.faces[topology.parts == part], count) for part in np.unique(topology.parts)}
    masks = {name: by_part[name] for name in BLOCKS}
    masks["teeth"] = by_part["upper_teeth"] | by_part["lower_teeth"]
    gums = by_part["upper_gums"] | by_part["lower_gums"]
    masks["skin"] = by_part["head"] | by_part["neck"]
    masks["mouth_interior"] = (by_part["mouth_cavity"] & ~by_part["head"]) | masks["teeth"] | gums | masks["tongue"]
    outer = masks["skin"]
    uv = _vertex_uv(topology, count)
    for name, picture in PICTURES.items():
        masks[name] = outer & (_sample(data / "mpfb2/textures" / picture, uv) > 127)
    masks["face"] &= ~masks["ears"]
    masks["neck"] = by_part["neck"] | _throat(topology, count)
    masks["scalp"] = outer & ~masks["neck"] & ~masks["ears"] & ~masks["face"] & _hair(vertices)
    return masks


def _vertices_of(faces: np.ndarray, count: int) -> np.ndarray:
    mask = np.zeros(count, dtype=bool)
    mask[faces] = True
    return mask


def _vertex_uv(topology: Topology, count: int) -> np.ndarray:
    """One MakeHuman UV for each vertex, that of the head's own charts where there are two."""
    uv = np.zeros((count, 2))
    for part in ("neck", "mouth_cavity", "head"):
        chosen = topology.parts == part
        uv[topology.faces[chosen]] = topology.corner_uv[chosen]
    return uv


def _sample(path: Path, uv: np.ndarray) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    size = picture.shape[0]
    place = np.clip((np.stack([1 - uv[:, 1], uv[:, 0]], axis=1) * size).astype(int), 0, size - 1)
    return picture[place[:, 0], place[:, 1]]


def _throat(topology: Topology, count: int) -> np.ndarray:
    throat = (topology.parts == "head") & (topology.corner_uv[..., 0].max(1) < 0.5)
    return _vertices_of(topology.faces[throat], count)


def _hair(vertices: np.ndarray) -> np.ndarray:
    """Above and behind a plane from the hairline to the nape (origin between the eyes)."""
    return (vertices[:, 1] * 0.8 - vertices[:, 2] * 0.6) > 0.028


NOSE_BOX = np.array([[-0.022, -0.058, 0.012], [0.022, -0.026, 0.06]])
"""Corners (metres, the mean adult) of a box about the nose."""

HIDDEN_OPENNESS = 0.42


def nostril_interior(topology: Topology, mean: np.ndarray) -> np.ndarray:
    """(V_skin,) bool: skin inside the nostrils, which hardly sees out of the face."""
    outer = topology.faces[topology.parts == "head"]
    vertices = np.unique(outer)
    inside = ((mean[vertices] > NOSE_BOX[0]) & (mean[vertices] < NOSE_BOX[1])).all(1)
    near = (np.abs(mean[outer].mean(1) - NOSE_BOX.mean(0)) < 0.03).all(1)
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(48, 3))
    directions[:, 2] = np.abs(directions[:, 2])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = mean[vertices[inside]] + 3e-4 * mesh_normals(mean, outer)[vertices[inside]]
    hidden = np.zeros(topology.blocks["skin"].stop, dtype=bool)
    hidden[vertices[inside]] = openness(points, directions, mean, outer[near]) < HIDDEN_OPENNESS
    return hidden
