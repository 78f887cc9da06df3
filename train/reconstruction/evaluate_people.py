"""How alike the shapes are that photos of one person give, and how heads fit people of different kinds.

    python -m train.reconstruction.evaluate people --data DATA/eval/LFW
    python -m train.reconstruction.evaluate groups --data DATA/eval/UTKFace
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from facerecon.metrics.landmarks import landmark_nme
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.reconstruction.same_person import fuse_shapes
from facerecon.types import PersonShape, Reconstruction
from train.data import open_dataset
from train.reconstruction.evaluate import find_faces

FEWEST, MOST = 4, 8  # photos of a person that take part
AGES = (0, 6, 18, 40, 65, 200)  # ends of the bands, years


def people_benchmark(reconstructor: HeadReconstructor, folder: Path, limit: int = 40) -> dict:
    """Distances between neutral shapes, mm of the face's vertices, of the same and of different people.

    Photos of a person are dealt into two hands; each hand also gives one fused shape. A hand's
    photos are never in the other, so that fused shapes of one person are as independent as single ones.

    Args:
        folder: LFW's layout, ``Person_Name/Person_Name_0001.jpg``.
        limit: at most this many people, those with the most photos.
    """
    heads = _heads_by_person(reconstructor, folder, limit)
    single = {name: [_shape(head) for head in found] for name, found in heads.items()}
    fused = {name: [fuse_shapes(found[i::2]) for i in (0, 1)] for name, found in heads.items()}
    one, many = (_distances(reconstructor, shapes) for shapes in (single, fused))
    hand = float(np.mean([len(found) / 2 for found in heads.values()]))
    return {
        "people": len(heads),
        "photos": sum(map(len, heads.values())),
        "single": one,
        "fused": {"photos_a_shape": round(hand, 1), **many},
        "spread_left": round(many["within_mm"] / one["within_mm"], 3),
    }


def groups_benchmark(reconstructor: HeadReconstructor, folder: Path, limit: int | None = None) -> dict:
    """Landmarks of the heads, not brought to any, against those of the landmarker, over the root of their box's area, by group.

    Args:
        folder: UTKFace's layout.
        limit: about this many photos, evenly spread.
    """
    pack, fits = open_dataset("utkface", folder), reconstructor.fits
    rows = np.linspace(0, len(pack) - 1, min(limit or len(pack), len(pack))).astype(int)
    images, labels = [pack.image(int(i)) for i in rows], [pack.labels(int(i)) for i in rows]
    faces = find_faces(images)[0]
    seen = [i for i, face in enumerate(faces) if face.landmarks is not None]
    reconstructor.fits = False
    heads = reconstructor.encode([images[i] for i in seen], [faces[i] for i in seen])
    reconstructor.fits = fits
    found, wanted = np.stack([reconstructor.geometry(head)[1] for head in heads]), np.stack([faces[i].landmarks for i in seen])
    errors, groups = landmark_nme(found, wanted) * 100, {"all": []}
    for k, i in enumerate(seen):
        band = next(f"age_{low}_{high}" for low, high in zip(AGES, AGES[1:]) if labels[i].age < high)
        for name in ("all", band, labels[i].race, labels[i].gender):
            groups.setdefault(str(name), []).append(k)
    return {"not_found": len(rows) - len(seen)} | {
        name: {"photos": len(members), "mean_percent": round(float(errors[members].mean()), 2)} for name, members in sorted(groups.items())
    }


def _heads_by_person(reconstructor: HeadReconstructor, folder: Path, people: int) -> dict[str, list[Reconstruction]]:
    pack, photos = open_dataset("lfw", folder), {}
    for i in range(len(pack)):
        photos.setdefault(pack.labels(i).person, []).append(i)
    chosen = sorted((name for name in photos if len(photos[name]) >= FEWEST), key=lambda n: (-len(photos[n]), n))[:people]
    heads = {}
    for name in chosen:
        images = [pack.image(i) for i in photos[name][:MOST]]
        heads[name] = reconstructor.reconstruct(images, find_faces(images)[0], textured=False)
    return heads


def _shape(head: Reconstruction) -> PersonShape:
    return PersonShape(head.parameters.identity, head.parameters.mean_weights, head.parameters.demographics)


@torch.inference_mode()
def _distances(reconstructor: HeadReconstructor, shapes: dict[str, list[PersonShape]]) -> dict[str, float]:
    """Mean distance within people and between them, and their ratio."""
    head = reconstructor.head
    every = [(name, shape) for name, found in shapes.items() for shape in found]
    identity, weights = (torch.from_numpy(np.stack([getattr(s, key) for _, s in every])) for key in ("identity", "mean_weights"))
    points = head.vertices(identity, None, weights)[:, head.masks["face"]][:, ::3] * 1000
    every_distance = [(points - one).norm(dim=-1) for one in points]
    apart = torch.stack([distance.mean(1) for distance in every_distance]).numpy()
    squared = torch.stack([distance.square().mean(1) for distance in every_distance]).numpy()
    who = np.array([name for name, _ in every])
    same = (who[:, None] == who) & ~np.eye(len(who), dtype=bool)
    within, between = float(apart[same].mean()), float(apart[who[:, None] != who].mean())
    return {
        "within_mm": round(within, 3), "between_mm": round(between, 3), "ratio": round(between / within, 3),
        "within_squared_mm2": round(float(squared[same].mean()), 4),
    }  # fmt: skip
