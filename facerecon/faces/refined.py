"""A detector whose five points are set anew by the 68 landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from facerecon.faces.views import JointScore, ViewingDetector
from facerecon.types import Face, Image

if TYPE_CHECKING:
    from facerecon.faces.detect import FaceDetector
    from facerecon.faces.landmarker import FaceLandmarker


class RefinedDetector:
    """Finds faces by another detector; eyes, nose and mouth lie where the landmarks see them.

    Where the detector says what landmarks tell of its candidates (``joint_score``), these have a say in which are faces.

    Args:
        detector: finds the faces; boxes stay its own.
        landmarker: the shipped one by default, loaded at the first face.
        device: where that one runs.
    """

    def __init__(self, detector: FaceDetector, landmarker: FaceLandmarker | None = None, device: str = "auto") -> None:
        self.detector, self.device = detector, device
        if landmarker is not None:
            self.landmarker = landmarker

    @cached_property
    def landmarker(self) -> FaceLandmarker:
        """Sets the points."""
        from facerecon.faces.landmarker import FaceLandmarker  # torch, which finding a face does not need

        return FaceLandmarker.from_pretrained(self.device)

    def detect(self, image: Image) -> list[Face]:
        """The faces of an (H, W, 3) uint8 photo, the largest first.

        Raises:
            CheckpointError: the landmarker's weights are not there.
        """
        return self.detect_all([image])[0]

    def detect_all(self, images: Sequence[Image]) -> list[list[Face]]:
        """The same for several photos; together where the detector can do that."""
        if isinstance(self.detector, ViewingDetector) and self.detector.joint_score is not None:
            return self.detector.detect_all(images, partial(self._refined, joint_score=self.detector.joint_score))
        together = getattr(self.detector, "detect_all", None)
        found = together(images) if together else [self.detector.detect(image) for image in images]
        return [self._refined(image, faces) for image, faces in zip(images, found)]

    def _refined(self, image: Image, faces: list[Face], joint_score: JointScore | None = None) -> list[Face]:
        return self.landmarker.refine(image, faces, joint_score) if faces else []
