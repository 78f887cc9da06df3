"""How well heads, with hair and bald, cover what the parser sees of a person above the eyes, and of hair beside the head.

    python -m train.reconstruction.evaluate hair --data PHOTOS
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.progress import track

from facerecon.faces.align import template_points, warp
from facerecon.faces.masks import FaceMasks
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.rendering.pictures import render_layer, vertices_in_camera
from facerecon.types import FaceReconError, HeadParameters, Image
from train.data import open_dataset
from train.reconstruction.evaluate import find_faces


def hair_benchmark(reconstructor: HeadReconstructor, folder: Path, limit: int | None = None) -> dict:
    """Overlap (intersection over union) above the eyes of drawn heads and what the parser calls skin, features or hair; and of all
    hair that it sees below them beside bald heads, how much is covered, and how much of what is added there is hair.

    The parser is the one that hair is measured by: the table says how well a smooth shell can follow it, not whether it is right.

    Args:
        folder: photos of one face each, a folder or a tar.
        limit: about this many, evenly spread.

    Raises:
        FaceReconError: no face was found.
    """
    pack, overlaps, beside = open_dataset("image_folder", folder), [], []
    rows = np.linspace(0, len(pack) - 1, min(limit or len(pack), len(pack))).astype(int)
    for row in track(rows, description="heads"):
        image = pack.image(int(row))
        (face,), missed = find_faces([image])
        if missed:
            continue
        (masks,), (bald,) = reconstructor.masks_of([image], [face]), reconstructor.encode([image], [face])
        hairy, _ = reconstructor.with_hair(image, bald, reconstructor.geometry(bald)[0], masks)
        drawn = [_drawn(reconstructor, image, parameters, masks) for parameters in (replace(hairy, hair=None), hairy)]
        seen, above = _regions(image, masks)
        person = masks.of("skin", "features", "hair") > 0.5
        overlaps.append([((d & person & above).sum() / max(((d | person) & above).sum(), 1)) for d in drawn])
        around = seen & ~above & ~drawn[0] & (masks.of("other") < 0.5)  # whether hair lies under a collar nobody knows
        hair, added = (masks.of("hair") > 0.5) & around, drawn[1] & around
        beside.append([(hair & added).sum(), hair.sum(), added.sum()])
    if not overlaps:
        raise FaceReconError(f"There is no photo in {folder} in which a face was found.")
    without, with_hair = np.mean(overlaps, axis=0)
    both, hair, added = np.sum(beside, axis=0)
    return {
        "photos": len(overlaps), "not_found": len(rows) - len(overlaps), "bald": round(without, 3), "hair": round(with_hair, 3),
        "beside_covered": round(both / max(hair, 1), 3), "beside_is_hair": round(both / max(added, 1), 3),
    }  # fmt: skip


def _drawn(reconstructor: HeadReconstructor, image: Image, parameters: HeadParameters, masks: FaceMasks) -> np.ndarray:
    """Where the masks' crop shows the head (S, S), bool."""
    points = vertices_in_camera(reconstructor.geometry(parameters)[0], parameters)
    drawn = render_layer(points, reconstructor.head, image.shape[:2], parameters.focal_px, parameters.principal_point, mode="depth")
    return warp(np.ascontiguousarray(drawn[..., 3]), masks.matrix, masks.probabilities.shape[-1]) > 0.5


def _regions(image: Image, masks: FaceMasks) -> tuple[np.ndarray, np.ndarray]:
    """What of the masks' crop lies in the photo (S, S), and what of that above the eyes."""
    size = masks.probabilities.shape[-1]
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    seen = masks.show(np.stack((x, y), -1), image.shape[:2])
    return seen, seen & (y < template_points(size, "reconstruction")[:2, 1].mean())
