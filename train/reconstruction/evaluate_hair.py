"""How well heads, with hair and bald, cover what the parser sees of a person above the eyes.

    python -m train.reconstruction.evaluate hair --data PHOTOS
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.progress import track

from facerecon.faces.align import template_points, transform_points, warp
from facerecon.faces.masks import FaceMasks
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.rendering.pictures import render_layer, vertices_in_camera
from facerecon.types import HeadParameters, Image
from train.data import open_dataset
from train.reconstruction.evaluate import find_faces


def hair_benchmark(reconstructor: HeadReconstructor, folder: Path, limit: int | None = None) -> dict:
    """Overlap (intersection over union) of drawn heads and what the parser calls skin, features or hair.

    The parser is the one that hair is measured by: the table says how well a smooth shell can follow it, not whether it is right.

    Args:
        folder: photos of one face each, a folder or a tar.
        limit: about this many, evenly spread.
    """
    pack, overlaps = open_dataset("image_folder", folder), []
    rows = np.linspace(0, len(pack) - 1, min(limit or len(pack), len(pack))).astype(int)
    for row in track(rows, description="heads"):
        image = pack.image(int(row))
        (face,), missed = find_faces([image])
        if missed:
            continue
        (masks,), (bald,) = reconstructor.masks_of([image], [face]), reconstructor.encode([image], [face])
        hairy, _ = reconstructor.with_hair(image, bald, reconstructor.geometry(bald)[0], masks)
        overlaps.append([_overlap(reconstructor, image, parameters, masks) for parameters in (replace(hairy, hair=None), hairy)])
    without, with_hair = np.mean(overlaps, axis=0)
    return {"photos": len(overlaps), "not_found": len(rows) - len(overlaps), "bald": round(without, 3), "hair": round(with_hair, 3)}


def _overlap(reconstructor: HeadReconstructor, image: Image, parameters: HeadParameters, masks: FaceMasks) -> float:
    """Overlap above the eyes, on the masks' own crop, of what lies in the photo."""
    points = vertices_in_camera(reconstructor.geometry(parameters)[0], parameters)
    drawn = render_layer(points, reconstructor.head, image.shape[:2], parameters.focal_px, parameters.principal_point, mode="depth")
    size = masks.probabilities.shape[-1]
    coverage = warp(np.ascontiguousarray(drawn[..., 3]), masks.matrix, size) > 0.5
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    inside = np.concatenate((masks.matrix, [[0, 0, 1]]))
    there = transform_points(np.stack((x, y), -1), np.linalg.inv(inside)[:2])
    region = ((there >= 0) & (there <= np.array(image.shape[1::-1]) - 1)).all(-1)
    region &= y < template_points(size, "reconstruction")[:2, 1].mean()
    person = masks.of("skin", "features", "hair") > 0.5
    return float((coverage & person & region).sum() / max(((coverage | person) & region).sum(), 1))
