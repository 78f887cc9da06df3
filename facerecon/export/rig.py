"""What makes a head move: 52 morph targets and the joints of neck and eyes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from facerecon.export.mesh import unit_normals
from facerecon.head.labels import JOINT_PARENTS
from facerecon.types import Reconstruction

SMALLEST_MOVE_M = 5e-6  # less is never seen, and leaving it out keeps the file small
SMALLEST_TURN = 4e-3  # of a normal: a quarter of a degree
ROOT = "root"
INFLUENCES = 4


@dataclass(frozen=True)
class Rig:
    """A neutral head and what deforms it, on the head's own vertices (not split).

    Attributes:
        neutral: (V, 3) float32 metres, the person without expression.
        normals: (V, 3) float32, unit.
        names: the expressions, in order.
        moves: (E, V, 3) float32 metres, what each expression adds at full strength.
        turns: (E, V, 3) float32, what it adds to the normals.
        weights: (E,) strength of each in the photo.
        joint_names: the root, which stays, then the head's joints.
        joint_parents: index of each joint's parent, -1 for the root.
        joint_positions: (J, 3) float32 metres.
        influence_joints: (V, 4) uint8.
        influence_weights: (V, 4) float32, rows sum to one.
    """

    neutral: np.ndarray
    normals: np.ndarray
    names: tuple[str, ...]
    moves: np.ndarray
    turns: np.ndarray
    weights: np.ndarray
    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]
    joint_positions: np.ndarray
    influence_joints: np.ndarray
    influence_weights: np.ndarray


@torch.no_grad()
def build_rig(reconstruction: Reconstruction, head: Any) -> Rig:
    """The rig of one reconstruction.

    What the reconstruction's vertices hold beyond the head model's own (detail) stays
    in the neutral shape. At the photo's weights the head is the reconstruction, but
    for the eyelids: the model lays them on the eyeballs, morph targets only add.
    """
    parameters = reconstruction.parameters
    count = len(head.expression_labels)
    weights = np.asarray(parameters.expression, np.float32)
    expressions = torch.cat((torch.zeros(1, count), torch.from_numpy(weights)[None], torch.eye(count)))
    identity = torch.as_tensor(parameters.identity, dtype=torch.float32)[None]
    demographics = head.mean_weights(parameters)
    people = identity.expand(len(expressions), -1), expressions, demographics.expand(len(expressions), -1)
    shapes = head.vertices(*people).numpy()
    neutral = shapes[0] + (np.asarray(reconstruction.vertices, np.float32) - shapes[1])
    moves = shapes[2:] - shapes[0]
    moves[np.abs(moves).max(-1) < SMALLEST_MOVE_M] = 0
    normals = unit_normals(neutral[None], head)
    turns = unit_normals(neutral + moves, head) - normals
    turns[np.abs(turns).max(-1) < SMALLEST_TURN] = 0
    joints = head.joints(identity, demographics)[0].numpy()
    influence_joints, influence_weights = _influences(head.skin_weights.cpu().numpy())
    return Rig(
        neutral=neutral,
        normals=normals[0],
        names=tuple(head.expression_labels),
        moves=moves,
        turns=turns,
        weights=weights,
        joint_names=(ROOT, *head.joint_labels),
        joint_parents=(-1, *(parent + 1 for parent in JOINT_PARENTS)),
        joint_positions=np.concatenate((np.zeros((1, 3)), joints)).astype(np.float32),
        influence_joints=influence_joints,
        influence_weights=influence_weights,
    )


def _influences(skin_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The four strongest joints of each vertex (V, 4) and their shares; what a vertex leaves free, the root holds."""
    free = np.clip(1 - skin_weights.sum(1, keepdims=True), 0, 1)
    shares = np.concatenate((free, skin_weights), axis=1)
    shares[shares < 1e-4] = 0
    joints = np.argsort(-shares, axis=1, kind="stable")[:, :INFLUENCES]
    weights = np.take_along_axis(shares, joints, 1)
    weights /= weights.sum(1, keepdims=True)
    joints[weights == 0] = 0
    return joints.astype(np.uint8), weights.astype(np.float32)
