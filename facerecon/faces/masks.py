"""What the parser says of a face, for those who paste and paint: needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facerecon.faces.align import invert, transform_points, warp

CLASSES = ("background", "skin", "features", "neck", "hair", "other")
"""``skin`` is that of face and bald head, beards and moustaches with it; ``features`` are brows, eyes and lips with what
an open mouth shows; ``neck`` is neck and ears; ``hair`` is that of the head; ``other`` is glasses, hats, hands, clothes and
whatever else lies on the person or in front."""
FACE = ("skin", "features")
PERSON = ("skin", "features", "neck", "hair")


@dataclass(frozen=True)
class FaceMasks:
    """How likely each class is at each pixel of a crop.

    Attributes:
        probabilities: (6, S, S) float32 in the order of ``CLASSES``, one in sum.
        matrix: (2, 3) float64, pixels of the photo to pixels of the crop.
    """

    probabilities: np.ndarray
    matrix: np.ndarray

    def of(self, *names: str) -> np.ndarray:
        """(S, S) float32: how likely a pixel of the crop has one of these classes."""
        return self.probabilities[[CLASSES.index(name) for name in names]].sum(0)

    def at(self, name: str, places: np.ndarray) -> np.ndarray:
        """How likely (N, M) the crop's pixels at places (N, M, 2) are of a class; 0 beyond the crop."""
        columns, rows = np.moveaxis(places.astype(np.float32), -1, 0)
        return cv2.remap(self.of(name), columns, rows, cv2.INTER_LINEAR, borderValue=0.0)

    def show(self, places: np.ndarray, photo_size: tuple[int, int]) -> np.ndarray:
        """Whether (...,) pixels of the crop (..., 2) lie in it and in the photo, height and width in pixels: beyond its edge
        the crop is filled up."""
        there = transform_points(places, invert(self.matrix))
        limits, last = np.array(photo_size[::-1]) - 1, self.probabilities.shape[-1] - 1
        return ((there >= 0) & (there <= limits) & (places >= 0) & (places <= last)).all(-1)

    def on(self, names: Sequence[str], matrix: np.ndarray, size: int | tuple[int, int], beyond: float = 0.0) -> np.ndarray:
        """The same on another crop of the same photo, float32.

        Args:
            names: classes that are added up.
            matrix: (2, 3), pixels of the photo to those of the other crop; the identity for the photo itself.
            size: its side, or (width, height).
            beyond: the value of what the parser did not see.
        """
        there = _after(invert(self.matrix), matrix)
        shown = warp(self.of(*names) - beyond, there, size, cv2.BORDER_CONSTANT) + beyond
        return np.clip(shown, 0, 1).astype(np.float32)


def _after(first: np.ndarray, then: np.ndarray) -> np.ndarray:
    """One affine map (2, 3) that does two, one after the other."""
    then = np.asarray(then, np.float64)
    return np.concatenate((then[:, :2] @ first[:, :2], (then[:, :2] @ first[:, 2] + then[:, 2])[:, None]), axis=1)
