"""A performance as a glTF clip: morph-target weights and the turning of neck and head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pygltflib as gl
from scipy.spatial.transform import Rotation

from facerecon.export.gltf_buffer import BufferBuilder
from facerecon.export.rig import Rig

# How neck and head share the head's turn, so that the skin between them bends and does not wring.
JOINT_SHARES = {"neck": 0.4, "head": 0.6}


@dataclass(frozen=True)
class Clip:
    """What a head does in time.

    Attributes:
        name: shown by players.
        times: (T,) seconds from 0, increasing.
        weights: (T, E) in [0, 1], the expressions in the order of the rig's names.
        rotations: (T, 3, 3) of the head, from rest, in the head's frame.
    """

    name: str
    times: np.ndarray
    weights: np.ndarray
    rotations: np.ndarray


def add_clip(document: gl.GLTF2, buffer: BufferBuilder, clip: Clip, rig: Rig, mesh_node: int, first_joint: int) -> None:
    """Adds a clip to a document.

    Args:
        document: holds the nodes of mesh and joints.
        buffer: takes the key frames.
        clip: at least one key frame.
        rig: whose expressions and joints the document has.
        mesh_node: node of the mesh.
        first_joint: node of the rig's first joint; the others follow in order.
    """
    times = buffer.array(np.asarray(clip.times, np.float32), bounds=True, name="times")
    weights = buffer.array(np.ascontiguousarray(clip.weights, np.float32).reshape(-1), name="weights")
    outputs = [(mesh_node, "weights", weights)]
    turns = Rotation.from_matrix(clip.rotations).as_rotvec()
    for joint, share in JOINT_SHARES.items():
        rotations = buffer.array(_quaternions(turns * share), name=f"{joint}_rotations")
        outputs.append((first_joint + rig.joint_names.index(joint), "rotation", rotations))
    samplers = [gl.AnimationSampler(input=times, output=output, interpolation=gl.ANIM_LINEAR) for _, _, output in outputs]
    channels = [
        gl.AnimationChannel(sampler=index, target=gl.AnimationChannelTarget(node=node, path=path))
        for index, (node, path, _) in enumerate(outputs)
    ]
    document.animations = [gl.Animation(name=clip.name, channels=channels, samplers=samplers)]


def _quaternions(turns: np.ndarray) -> np.ndarray:
    """Unit quaternions (T, 4) float32 of rotation vectors (T, 3), each on the side of the one before."""
    return steady_quaternions(Rotation.from_rotvec(turns)).astype(np.float32)


def steady_quaternions(rotations: Rotation) -> np.ndarray:
    """Quaternions (T, 4) x, y, z, w, none of which changes sides after the one before."""
    quaternions = rotations.as_quat()
    sides = np.sign((quaternions[1:] * quaternions[:-1]).sum(1))
    quaternions[1:] *= np.cumprod(np.where(sides == 0, 1, sides))[:, None]
    return quaternions
