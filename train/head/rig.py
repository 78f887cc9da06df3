"""Joints and skinning weights of the head, taken from MakeHuman's default rig."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from facerecon.head.labels import JOINTS
from train.head.makehuman import Mesh
from train.head.topology import Topology

NECK_BONES = ("neck01", "neck02", "neck03")
"""Bones that turn with the neck joint; ``head`` and all the bones below it turn with the head joint."""


def joint_points(mesh: Mesh, topology: Topology, base_vertices: np.ndarray) -> np.ndarray:
    """Joint positions (J, 3) on a deformed base mesh: cubes of the base mesh, and the eyeballs' centres."""
    neck, head = (base_vertices[mesh.group_vertices(f"joint-{name}")].mean(0) for name in ("neck", "head"))
    eyes = [eye.place(base_vertices).mean(0) for eye in topology.eyes]
    return np.stack([neck, head, *eyes])


def skin_weights(data: Path, mesh: Mesh, topology: Topology) -> np.ndarray:
    """(V, J) weights; rows may sum to less than one at the shoulders, which stay at rest."""
    folder = data / "mpfb2/rigs/standard"
    bones = json.loads((folder / "rig.default.json").read_text())
    bones = bones.get("bones", bones)
    table = json.loads((folder / "weights.default.json").read_text())["weights"]
    dense = np.zeros((len(mesh.vertices), 3))  # neck, head, anything else
    for bone, pairs in table.items():
        column = 0 if bone in NECK_BONES else 1 if _below_head(bone, bones) else 2
        for vertex, weight in pairs:
            dense[int(vertex), column] += weight
    dense /= np.maximum(dense.sum(1, keepdims=True), 1e-9)
    weights = np.zeros((sum(block.stop - block.start for block in topology.blocks.values()), len(JOINTS)))
    weights[: len(topology.base), :2] = dense[topology.base, :2]
    for name in ("upper_teeth", "lower_teeth"):
        weights[topology.blocks[name], 1] = 1
    for joint, name in ((2, "left_eyeball"), (3, "right_eyeball")):
        weights[topology.blocks[name], joint] = 1
    return weights


def _below_head(bone: str, bones: dict) -> bool:
    while bone in bones:
        if bone == "head":
            return True
        bone = bones[bone]["parent"]
    return False
