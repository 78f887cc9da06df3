"""The shipped landmarker as annotator: what is trained next may be taught by what ships, where the labeller is unsure or was never trained."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from facerecon.faces.align import MIRROR_68, invert, points_from_landmarks, template_points, transform_points
from facerecon.faces.landmarker import FaceLandmarker
from facerecon.types import Image
from train.landmarks.packs import Framing, rough_matrix

LOOKS = 3
ZOOMS, ASIDE = (0.8, 1.0, 1.25), (-0.17, 0.0, 0.17)  # first crops of :meth:`LandmarkAnnotator.vote`: sizes and places beside the framing's
ALIKE, UNLIKELY = 0.08, 0.15  # sizes of the face: two answers are one, an answer's own mirrored look contradicts it
_SIDE = 128  # pixels of the crop that a framing's scale speaks of; its size is of no account


class Annotator(Protocol):
    """Whatever finds the landmarks of photos whose framing is roughly known."""

    def label(self, images: list[Image], framings: list[Framing]) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (B, 68, 2) in photo pixels, and disagreement (B,) of the mirrored look, face sizes."""
        ...


class LandmarkAnnotator:
    """Looks a few times, each time where the look before put the face, then once more at the mirrored photo.

    Args:
        landmarker: the shipped one by default.
    """

    def __init__(self, landmarker: FaceLandmarker | None = None) -> None:
        self.landmarker = landmarker or FaceLandmarker.from_pretrained()

    def label(self, images: list[Image], framings: list[Framing]) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`Annotator`."""
        landmarks, least = np.zeros((len(images), 68, 2)), np.full(len(images), np.inf)
        starts = [(i, scale) for i, framing in enumerate(framings) for scale in framing.scales]
        photos = [images[i] for i, _ in starts]
        five = [_five(images[i], scale, framings[i]) for i, scale in starts]
        straight = self.landmarker.predict(photos, five, LOOKS, mirrored=False).points
        flipped = [np.ascontiguousarray(photo[:, ::-1]) for photo in photos]
        again = points_from_landmarks(_mirrored(straight, photos))
        mirrored = _mirrored(self.landmarker.predict(flipped, list(again), 1, mirrored=False).points, photos)
        doubt = np.linalg.norm(straight - mirrored, axis=2).mean(1) / _extent(straight)
        for (i, _), one, other, unsure in zip(starts, straight, mirrored, doubt):
            if unsure < least[i]:
                landmarks[i], least[i] = (one + other) / 2, unsure
        return landmarks, least

    def vote(self, image: Image, framing: Framing) -> tuple[np.ndarray, float]:
        """Landmarks (68, 2) of one hard photo, and the share of nine first crops from which they are found.

        A face seen from the side is not where a framing has it, and its landmarks seen mirrored differ more than a frontal
        face's; but wherever one begins, the looks end on it.
        """
        starts = [
            Framing((framing.scales[0] * zoom,), (framing.center[0] + aside, framing.center[1])) for zoom in ZOOMS for aside in ASIDE
        ]
        found, doubt = self.label([image] * len(starts), starts)
        size = _extent(found)
        apart = np.linalg.norm(found[:, None] - found[None], axis=-1).mean(-1) / np.maximum(size[:, None], size[None])
        alike = (apart < ALIKE) & (doubt < UNLIKELY)
        best = alike[int(alike.sum(1).argmax())]
        return found[best].mean(0) if best.any() else found[0], float(best.mean())


def _five(image: Image, scale: float, framing: Framing) -> np.ndarray:
    """The five points of a face that fills a first crop of that scale as the template says."""
    matrix = rough_matrix(image.shape, scale, framing, _SIDE)
    return transform_points(template_points(_SIDE, "reconstruction"), invert(matrix))


def _extent(landmarks: np.ndarray) -> np.ndarray:
    return np.sqrt(np.prod(landmarks.max(1) - landmarks.min(1), axis=1)).clip(1)


def _mirrored(landmarks: np.ndarray, images: list[Image]) -> np.ndarray:
    """Landmarks (B, 68, 2) of the mirrored photos."""
    out = np.array(landmarks)[:, MIRROR_68]
    out[..., 0] = np.array([image.shape[1] - 1 for image in images])[:, None] - out[..., 0]
    return out
