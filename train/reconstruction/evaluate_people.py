"""How alike the shapes are that photos of one person give.

    python -m train.reconstruction.evaluate people --data DATA/eval/LFW
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.reconstruction.same_person import fuse_shapes
from facerecon.types import PersonShape, Reconstruction
from train.data import open_dataset
from train.reconstruction.evaluate import find_faces

FEWEST, MOST = 4, 8  # photos of a person that take part


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
