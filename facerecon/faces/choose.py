"""Chooses among the faces of a photo."""

from __future__ import annotations

import re

import numpy as np

from facerecon.types import Face, FaceReconError

SELECTIONS = ("all", "largest", "center")


def choose_faces(faces: list[Face], selection: str | int, image_shape: tuple[int, ...]) -> list[tuple[int, Face]]:
    """The faces asked for, each with its position in ``faces``.

    Args:
        faces: what a detector found.
        selection: ``"all"``, ``"largest"``, ``"center"`` (nearest to the photo's centre, in
            face sizes, so that a small one far behind does not win by a pixel) or an index,
            as a number or as its digits.
        image_shape: (H, W, ...) of the photo.

    Returns:
        List of (index, face); empty only where ``faces`` is.

    Raises:
        FaceReconError: unknown selection, or an index that no face has.
    """
    if isinstance(selection, str) and re.fullmatch(r"\s*-?\d+\s*", selection):
        selection = int(selection)
    if isinstance(selection, int):
        if not 0 <= selection < len(faces):
            raise FaceReconError(f"Face {selection} was asked for, but the photo shows {_count(len(faces))}.")
        return [(selection, faces[selection])]
    if selection not in SELECTIONS:
        raise FaceReconError(f"Faces are chosen by {', '.join(SELECTIONS)} or an index; {selection!r} is none of them.")
    indexed = list(enumerate(faces))
    if selection == "all" or not faces:
        return indexed
    if selection == "largest":
        return [max(indexed, key=lambda pair: pair[1].size)]
    centre = (np.array(image_shape[1::-1], np.float64) - 1) / 2
    return [min(indexed, key=lambda pair: _distance(pair[1], centre))]


def _distance(face: Face, centre: np.ndarray) -> float:
    middle = (face.box[:2] + face.box[2:]) / 2
    return float(np.linalg.norm(middle - centre)) / max(face.size, 1e-6)


def _count(number: int) -> str:
    return f"{number} face{'' if number == 1 else 's'} (counted from 0)"
