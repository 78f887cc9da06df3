"""68 landmarks of faces that have been found, and how far they may be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from facerecon.checkpoints import load_network
from facerecon.devices import fast_dtype, resolve_device, to_fast
from facerecon.faces.align import (
    MIRROR_68,
    invert,
    mirror_matrix,
    points_from_landmarks,
    points_in_box,
    similarity_from_points,
    transform_points,
    warp,
)
from facerecon.faces.landmark_network import LandmarkerConfig, LandmarkerNetwork
from facerecon.faces.mouth import MouthReader
from facerecon.faces.views import JointScore
from facerecon.types import Face, FaceReconError, Image

NAME = "landmarker"
TEMPLATE = "head"
BATCH = 64
GOOD_ERROR = 0.05  # of the face's size: confidence is the chance of a smaller mean error
TRUSTED = 0.5  # confidence from which :meth:`FaceLandmarker.refine` takes the landmarks' word
LANDMARKS_SHARE = 0.75  # of the mean with the detector's points, whose errors are half as large again
AGREEMENT = 0.06  # of the face's size: mean distance of the detector's points up to which both are right
_UNSURE = 0.35  # standard deviation of the logarithm of an error over what was expected


@dataclass(frozen=True)
class Landmarks:
    """What the network saw of some faces.

    Attributes:
        points: (n, 68, 2) float32, iBUG order, pixels of each face's photo.
        spread: (n, 68) float32, the expected error of each point, pixels.
        confidence: (n,) float32 in [0, 1], the chance that the mean error is under ``GOOD_ERROR`` of the face's size.
    """

    points: np.ndarray
    spread: np.ndarray
    confidence: np.ndarray


class FaceLandmarker:
    """Finds 68 landmarks of faces whose place is roughly known.

    Args:
        network: in evaluation mode.
        device: where it runs.
        dtype: number type of the network; the fastest of the device by default.
        mouth: brings the lips of shut mouths together; without it they stay as the network sees them.
    """

    def __init__(
        self, network: LandmarkerNetwork, device: torch.device | str = "cpu", dtype: torch.dtype | None = None, mouth: MouthReader | None = None
    ) -> None:
        self.device = torch.device(device)
        self.dtype = dtype or fast_dtype(self.device)
        network = network.eval().requires_grad_(False)
        self.network = to_fast(network, self.device, self.dtype)
        self.network.grid = network.grid.float()
        self.size, self.mouth = network.config.image_size, mouth

    @classmethod
    def from_pretrained(cls, device: str = "auto", path: str | Path | None = None) -> FaceLandmarker:
        """The shipped network, or another file of its kind; with ``weights/mouth`` where it is there.

        Raises:
            CheckpointError: there is no checkpoint, or it does not fit.
        """
        return cls(load_network(NAME, _build, path), resolve_device(device), mouth=MouthReader.shipped(device))

    def predict(
        self, images: Image | Sequence[Image], places: Sequence[Face | np.ndarray], looks: int = 2, mirrored: bool = True
    ) -> Landmarks:
        """Landmarks of faces.

        Args:
            images: the photo that all the faces are in, or one photo a face; (H, W, 3) uint8.
            places: of each face: a ``Face``, five points (5, 2), 68 landmarks of the frame before (68, 2) or an upright
                box (4,).
            looks: how often the crop is cut anew by what the last look saw.
            mirrored: the last look takes the mean with the mirrored crop.

        Raises:
            FaceReconError: fewer or more photos than places, or a place of another shape.
        """
        photos = [images] * len(places) if isinstance(images, np.ndarray) else list(images)
        if len(photos) != len(places):
            raise FaceReconError(f"There are {len(photos)} photos for {len(places)} faces.")
        matrices = [self._first_crop(place) for place in places]
        for _ in range(looks - 1):
            points, _ = self._look(photos, matrices)
            matrices = [self._next_crop(seen, before) for seen, before in zip(points, matrices)]
        if mirrored:
            both = self._look(photos * 2, matrices + [mirror_matrix(matrix, self.size) for matrix in matrices])
            straight, flipped = ([part[half] for part in both] for half in (slice(len(places)), slice(len(places), None)))
            points, spread = ((part + other[:, MIRROR_68]) / 2 for part, other in zip(straight, flipped))
        else:
            points, spread = self._look(photos, matrices)
        sure = _confidence(points, spread)
        return Landmarks(points if self.mouth is None else self.mouth.settle(photos, points), spread, sure)

    def refine(self, image: Image, faces: Sequence[Face], joint_score: JointScore | None = None) -> list[Face]:
        """The faces of a photo with better points and with landmarks, where those are to be trusted.

        Where detector and landmarks agree, their errors average out: the points are the mean, in which the landmarks, which
        are the better ones, count more. Where they do not, as on profiles, on which detectors of five points fail, the
        landmarks are right more often.

        Args:
            image: (H, W, 3) uint8 RGB.
            faces: as a detector found them.
            joint_score: a face's new score, of the face as the detector found it and the mean expected error in sizes of the
                face; by default the detector's stays.
        """
        if not faces:
            return []
        found = self.predict(image, faces, mirrored=False)
        five, errors, out = points_from_landmarks(found.points), relative_error(found.points, found.spread), []
        for i, (face, points, sure) in enumerate(zip(faces, five, found.confidence)):
            if joint_score is not None:
                face = replace(face, score=joint_score(face, float(errors[i])))
            apart = np.linalg.norm(points - face.points, axis=1).mean()
            if apart <= AGREEMENT * face.size:
                points = LANDMARKS_SHARE * points + (1 - LANDMARKS_SHARE) * face.points
            better = {"points": points.astype(np.float32), "landmarks": found.points[i], "landmark_errors": found.spread[i]}
            out.append(replace(face, **better) if sure >= TRUSTED else face)
        return out

    def _first_crop(self, place: Face | np.ndarray) -> np.ndarray:
        points = np.asarray(place.points if isinstance(place, Face) else place, np.float64)
        if points.shape == (4,):
            points = points_in_box(points)
        elif points.shape == (68, 2):
            points = points_from_landmarks(points)
        if points.shape != (5, 2):
            raise FaceReconError(f"A face's place is a box, 5 or 68 points; an array of shape {points.shape} is none.")
        return similarity_from_points(points, self.size, TEMPLATE)

    def _next_crop(self, landmarks: np.ndarray, before: np.ndarray) -> np.ndarray:
        matrix = similarity_from_points(points_from_landmarks(landmarks), self.size, TEMPLATE)
        zoom = math.sqrt(abs(np.linalg.det(matrix[:, :2]) / np.linalg.det(before[:, :2])))
        return matrix if 0.4 < zoom < 2.5 else before  # landmarks of no face at all may lie in one heap

    def _look(self, photos: list[Image], matrices: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (n, 68, 2) and expected errors (n, 68) in pixels of the photos, seen through crops."""
        crops = [warp(photo, matrix, self.size, cv2.BORDER_REPLICATE) for photo, matrix in zip(photos, matrices)]
        parts = [self._see(np.stack(crops[i : i + BATCH])) for i in range(0, len(crops), BATCH)]
        points = [transform_points(p, invert(m)) for p, m in zip((p for part in parts for p in part[0]), matrices)]
        scales = [math.sqrt(abs(np.linalg.det(m[:, :2]))) for m in matrices]
        spread = [s / scale for s, scale in zip((s for part in parts for s in part[1]), scales)]
        empty = np.zeros((0, 68, 2), np.float32), np.zeros((0, 68), np.float32)
        return tuple(np.stack(x).astype(np.float32) if x else e for x, e in zip((points, spread), empty))

    @torch.inference_mode()
    def _see(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        batch = torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2).to(self.dtype) / 255
        found = self.network(batch.contiguous(memory_format=torch.channels_last))
        # The distance that a spread s stands for has the density of exp(-d / s) in the plane: 2 s on average.
        return ((found.landmarks + 0.5) * self.size - 0.5).cpu().numpy(), (2 * found.log_spread.exp() * self.size).cpu().numpy()


def _build(config: dict) -> LandmarkerNetwork:
    return LandmarkerNetwork(LandmarkerConfig(**config))


def relative_error(points: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """(n,): the mean expected error, ``spread`` (n, 68), of landmarks (n, 68, 2) in sizes of the face."""
    sides = points.max(1) - points.min(1) if len(points) else np.zeros((0, 2))
    return spread.mean(1) / np.sqrt(sides.prod(1)).clip(1e-6)


def _confidence(points: np.ndarray, spread: np.ndarray) -> np.ndarray:
    unlikely = (np.log(relative_error(points, spread).clip(1e-9)) - math.log(GOOD_ERROR)) / _UNSURE
    return np.array([0.5 * math.erfc(z / math.sqrt(2)) for z in unlikely], np.float32)
