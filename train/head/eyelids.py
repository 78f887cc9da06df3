"""What the head needs to know of its eyelids: where they lie on the eyeballs and where they meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from facerecon.metrics.surfaces import distances_along
from train.head.register import border_arcs, find_opening, rim_points
from train.head.topology import Topology

NEAR = 0.012
"""Skin within this distance of an eyeball (metres) is kept off it."""

THINNEST, THICKEST = 0.0003, 0.0012
"""Bounds of the clearance kept, metres."""

BLINK_REACH = 0.03
"""Blinks are fitted to each head within this distance of the eye's centre line, metres."""

LID_HEIGHT = 0.008
"""Metres above its edge over which the upper lid follows a correction of it."""


@dataclass(frozen=True)
class Lids:
    """Tables of both eyes, left first.

    Attributes:
        vertices, eyes, clearance: (N,) skin in front of an eyeball, which eye (0 left, 1 right) it
            covers, and the least distance from the eyeball's surface to keep, metres.
        rim_triangles, rim_barycentric: (2, 2, R, 3) points of each eye's upper and lower edge.
        moving: (2, M) vertices that a blink or a correction moves.
        across: (2, M, R) which edge points a vertex stands above or below; rows sum to one.
        follow: (2, M) how far it follows a correction of the upper edge, in [0, 1].
        opening: (2, R) height of the opening in the mean adult, metres.
    """

    vertices: np.ndarray
    eyes: np.ndarray
    clearance: np.ndarray
    rim_triangles: np.ndarray
    rim_barycentric: np.ndarray
    moving: np.ndarray
    across: np.ndarray
    follow: np.ndarray
    opening: np.ndarray


def find_lids(heads: np.ndarray, mean: np.ndarray, topology: Topology) -> Lids:
    """Measures the lids of the mean adult (P, 3) and of every baked mean (A, 2, 3, P, 3)."""
    covered = _find_cover(heads.reshape(-1, *heads.shape[3:]), topology)
    skin = topology.faces[topology.parts == "head"]
    eyes = [_find_rims(mean, skin, topology, part, ball) for part, ball in
            (("eye_cavity.L", "left_eyeball"), ("eye_cavity.R", "right_eyeball"))]
    size = min(len(eye["moving"]) for eye in eyes)
    for eye in eyes:
        eye["moving"], eye["across"], eye["follow"] = (eye[k][:size] for k in ("moving", "across", "follow"))
    return Lids(*covered, **{key: np.stack([eye[key] for eye in eyes]) for key in eyes[0]})


def tensors(lids: Lids) -> dict[str, torch.Tensor]:
    """The tables as the head's file stores them."""
    whole = {"vertices", "eyes", "rim_triangles", "moving"}
    result = {}
    for name, values in vars(lids).items():
        if name in whole:
            result[f"lid_{name}"] = torch.from_numpy(values.astype(np.uint16).view(np.int16).copy())
        else:
            tensor = torch.from_numpy(values.astype(np.float32))
            result[f"lid_{name}"] = tensor.half() if name in ("across", "follow") else tensor
    return result


def _find_cover(heads: np.ndarray, topology: Topology) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The skin that lies in front of the eyeballs in every mean (D, P, 3)."""
    skin = np.unique(topology.faces[topology.parts == "head"])
    found = []
    for eye, name in enumerate(("left_eyeball", "right_eyeball")):
        ball = heads[:, topology.blocks[name]]
        centre = ball.mean(1, keepdims=True)
        radius = np.linalg.norm(ball - centre, axis=-1).mean(1, keepdims=True)
        relative = heads[:, skin] - centre
        gap = (np.linalg.norm(relative, axis=-1) - radius).min(0)
        chosen = (gap > 1e-4) & (gap < NEAR) & (relative[..., 2] > 0).all(0)
        found.append((skin[chosen], np.full(chosen.sum(), eye), np.clip(0.8 * gap[chosen], THINNEST, THICKEST)))
    return tuple(np.concatenate(parts) for parts in zip(*found))


def _find_rims(mean: np.ndarray, skin: np.ndarray, topology: Topology, part: str, ball: str) -> dict[str, np.ndarray]:
    opening = find_opening(mean, skin, topology.faces[topology.parts == part])
    rims = [rim_points(mean, faces, opening.corners, upper) for upper, faces in
            ((True, opening.upper), (False, opening.lower))]
    places = [(mean[rim.triangles] * rim.barycentric[..., None]).sum(1) for rim in rims]
    centre = mean[topology.blocks[ball]].mean(0)
    reach = np.linalg.norm((mean[: topology.blocks["skin"].stop] - centre)[:, :2], axis=1)
    candidates = np.flatnonzero((reach < BLINK_REACH) & (mean[: len(reach), 2] > centre[2] - 0.005))
    order = candidates[np.argsort(reach[candidates], kind="stable")]
    across = np.exp(-(((mean[order, None, 0] - places[0][:, 0]) / 0.003) ** 2)) + 1e-6
    across /= across.sum(1, keepdims=True)
    height = np.linalg.norm(mean[order] - across @ places[0], axis=1)
    above, below = distances_along(mean, skin, border_arcs(mean, skin, topology.faces[topology.parts == part])[1])
    follow = np.exp(-((height / LID_HEIGHT) ** 2)) * (above < below)[order]
    return {
        "rim_triangles": np.stack([rim.triangles for rim in rims]),
        "rim_barycentric": np.stack([rim.barycentric for rim in rims]),
        "moving": order, "across": across, "follow": follow,
        "opening": places[0][:, 1] - places[1][:, 1],
    }
