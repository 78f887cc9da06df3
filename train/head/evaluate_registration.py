"""Registers scans whose truth is known: heads of our own, made to look as if a scanner had seen them.

    python -m train.head.evaluate_registration --count 12

A sample is a random person, with ``--detail`` given bumps and dents that the basis does not have, seen
from the front as another triangulation of other points, with noise and holes, somewhere in space.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import Delaunay

from facerecon.head import HeadModel
from facerecon.metrics.geometry import umeyama
from facerecon.metrics.surfaces import SurfaceFinder
from facerecon.rendering import mesh_normals
from train.command_line import command
from train.head.scan_fitting import RegisteredHead, Scan, ScanFitter
from train.reconstruction.people import euler, sample_person

FROM_CENTRE = 0.105  # metres: how far a scan reaches around the face
LONGEST_EDGE = 0.006


@dataclass(frozen=True)
class ScanSample:
    """A scan, the head (V, 3) in its own frame that was scanned, and the pose it was scanned in."""

    scan: Scan
    truth: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray


def bumps(vertices: np.ndarray, normals: np.ndarray, rng: np.random.Generator, count: int = 14, height: float = 0.001) -> np.ndarray:
    """Offsets (V, 3) in metres along smoothed normals that no basis knows: bumps and dents 8 to 20 mm wide all over the face."""
    front = np.flatnonzero(vertices[:, 2] > 0)
    offsets = np.zeros_like(vertices)
    for centre in rng.choice(front, count):
        near = np.exp(-((vertices - vertices[centre]) ** 2).sum(1) / (2 * rng.uniform(0.008, 0.02) ** 2))
        offsets += near[:, None] * rng.normal(0, height) * normals[centre]
    return offsets


def sample_skin(head: HeadModel, vertices: np.ndarray, rows: np.ndarray, count: int, rng: np.random.Generator):
    """Points (N, 3) on triangles ``rows``, their normals (N, 3), and where they lie in the texture (N, 2)."""
    faces = head.faces.numpy()[rows]
    corners = vertices[faces]
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(crosses, axis=1)
    chosen = rng.choice(len(rows), count, p=areas / areas.sum())
    weights = rng.dirichlet((1, 1, 1), count)[..., None]
    texture = head.uv.numpy()[head.uv_faces.numpy()[rows[chosen]]]
    return (corners[chosen] * weights).sum(1), crosses[chosen] / areas[chosen, None], (texture * weights).sum(1)


def make_scan(
    head: HeadModel, rng: np.random.Generator, noise: float = 0.0003, holes: int = 4, points: int = 60_000, detail: float = 0.0
) -> ScanSample:
    """A random person's scan.

    Args:
        head: the head model.
        rng: random numbers.
        noise: standard deviation of each point along the surface's normal, metres.
        holes: how many, 6 to 15 mm in radius.
        points: sampled all over the skin, of which the scan shows a part.
        detail: standard deviation of the bumps' height, metres.
    """
    person = sample_person(rng, len(head.identity_labels))
    weights = head.encode_demographics(*(torch.tensor(np.asarray(v, np.float32)[None]) for v in (person.age, person.gender, person.ancestry)))
    truth = head.vertices(torch.from_numpy(person.identity[None].astype(np.float32)), None, weights)[0].numpy().astype(np.float64)
    masks, faces = head.masks, head.faces.numpy()
    truth = truth + bumps(truth, mesh_normals(truth, faces), rng, height=detail)
    skin = (masks["skin"] & ~masks["mouth_interior"]).numpy()
    seen, normals, flat = sample_skin(head, truth, np.flatnonzero(skin[faces].all(1)), points, rng)
    kept = (normals[:, 2] > 0.2) & (np.linalg.norm(seen - truth[masks["face"].numpy()].mean(0), axis=1) < FROM_CENTRE)
    seen, normals, flat = seen[kept], normals[kept], flat[kept]
    for _ in range(holes):
        middle = seen[rng.integers(len(seen))]
        around = np.linalg.norm(seen - middle, axis=1) > rng.uniform(0.006, 0.015)
        seen, normals, flat = seen[around], normals[around], flat[around]
    triangles = Delaunay(flat).simplices  # in the texture's plane, where cheek and nostril do not cover each other
    corners = seen[triangles]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(1)
    outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    turned = (outward * normals[triangles[:, 0]]).sum(1) < 0
    triangles[turned] = triangles[turned][:, ::-1]
    triangles = triangles[longest < LONGEST_EDGE]
    turn, shift = euler(*np.radians(rng.normal(0, (20, 12, 8)))), rng.normal(0, 0.1, 3)
    noisy = seen + normals * rng.normal(0, noise, (len(seen), 1))
    return ScanSample(Scan(noisy @ turn.T + shift, triangles), truth, turn, shift)


def registration_errors(head: HeadModel, sample: ScanSample, found: RegisteredHead) -> dict[str, float]:
    """Millimetres on the face, in the scan's frame's scale and with no further alignment than the best rigid one.

    ``vertices`` is the median distance of corresponding vertices, ``surface`` that of the registered
    vertices from the true surface; ``holes`` the former where the scan showed nothing.
    """
    face = head.masks["face"].numpy()
    _, rotation, shift = umeyama(found.vertices[face], sample.truth[face], with_scale=False)
    moved = found.vertices @ rotation.T + shift
    apart = 1000 * np.linalg.norm(moved - sample.truth, axis=1)
    off = 1000 * SurfaceFinder(sample.truth, head.faces.numpy()).nearest(moved[face])[1]
    bare = face & ~found.covered
    return {
        "vertices": float(np.median(apart[face])), "vertices_p95": float(np.percentile(apart[face], 95)),
        "surface": float(np.median(off)), "holes": float(np.median(apart[bare])) if bare.any() else 0.0,
    }  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--noise", type=float, default=0.3, help="mm")
    parser.add_argument("--holes", type=int, default=4)
    parser.add_argument("--detail", type=float, default=0.0, help="mm, of bumps that the basis does not have")
    args = parser.parse_args()
    head, rows = HeadModel.from_pretrained(), []
    fitter = ScanFitter(head)
    for i in range(args.count):
        sample = make_scan(head, np.random.default_rng((7, i)), args.noise / 1000, args.holes, detail=args.detail / 1000)
        began = time.perf_counter()
        found = fitter.register(sample.scan)
        rows.append({**registration_errors(head, sample, found), "seconds": time.perf_counter() - began})
    medians = {k: round(float(np.median([row[k] for row in rows])), 3) for k in rows[0]}
    print(json.dumps({"scans": args.count, **medians, "worst_vertices": round(max(row["vertices"] for row in rows), 3)}, indent=2))


if __name__ == "__main__":
    command(main)
