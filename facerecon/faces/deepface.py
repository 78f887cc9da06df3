"""The detectors that DeepFace (Serengil and Ozpinar, 2020) wraps, for those who install it.

RetinaFace, YuNet, YOLO, SSD and the others are their authors' networks, fetched from the network at
first use; ours never need them. What a backend does not give is made up for: a face without nose and
mouth has them where they lie below its eyes on average, one without eyes where they lie in its box.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from facerecon.faces.align import fit_similarity, points_in_box, template_points, transform_points
from facerecon.types import Face, FaceReconError, Image

BACKENDS = (
    "opencv", "ssd", "dlib", "mtcnn", "fastmtcnn", "retinaface", "mediapipe", "yolov8n", "yolov8m", "yolov8l", "yolov11n",
    "yolov11s", "yolov11m", "yolov11l", "yunet", "centerface",
)  # fmt: skip
GO_ON = "or go on without it: --face-detector facerecon needs nothing more"


class DeepFaceDetector:
    """Finds faces by ``DeepFace.extract_faces``.

    Args:
        extract: that function, or a stand-in.
        backend: one of ``BACKENDS``.
        threshold: as for ``create_detector``.
        min_face: as for ``create_detector``.
    """

    def __init__(self, extract: Any, backend: str, threshold: float = 0.85, min_face: int = 20) -> None:
        if not 0 < threshold < 1:
            raise FaceReconError(f"The detection threshold lies between 0 and 1; {threshold} does not.")
        self._extract, self.backend, self.threshold, self.min_face = extract, backend, threshold, min_face

    @classmethod
    def from_pretrained(cls, backend: str, threshold: float = 0.85, min_face: int = 20) -> DeepFaceDetector:
        """A backend of the installed DeepFace.

        Raises:
            FaceReconError: DeepFace is not installed, or has no such backend.
        """
        if backend not in BACKENDS:
            raise FaceReconError(f"DeepFace has no detector called {backend!r}: use deepface: and one of {', '.join(BACKENDS)}.")
        os.environ.setdefault("DEEPFACE_BACKEND_ENGINE", "onnx")
        try:
            from deepface import DeepFace
        except Exception as error:  # it imports much, some of it undeclared
            raise FaceReconError(f"DeepFace is not installed: run pip install deepface onnxruntime werkzeug, {GO_ON}.") from error
        return cls(DeepFace.extract_faces, backend, threshold, min_face)

    def detect(self, image: Image) -> list[Face]:
        """The faces of an (H, W, 3) uint8 photo, the largest first.

        Raises:
            FaceReconError: the backend's weights cannot be fetched, or it fails otherwise.
        """
        options = {"detector_backend": self.backend, "enforce_detection": False, "align": False}
        try:
            found = self._extract(img_path=np.ascontiguousarray(image[..., ::-1]), **options)  # it takes BGR
        except Exception as error:
            raise FaceReconError(_sentence(self.backend, error)) from error
        faces = [_to_face(item["facial_area"], float(item.get("confidence") or 0.0)) for item in found]
        faces = [face for face in faces if face.score >= self.threshold and face.size >= self.min_face]
        return sorted(faces, key=lambda face: -face.size)


def _to_face(area: dict[str, Any], score: float) -> Face:
    """DeepFace's left and right are the person's own, ours the upright picture's."""
    corner, size = np.array([area["x"], area["y"]], np.float64), np.array([area["w"], area["h"]], np.float64)
    points = [area.get(name) for name in ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")]
    if points[0] is None or points[1] is None:
        five = points_in_box(np.concatenate((corner, corner + size)))
    elif any(point is None for point in points):
        template = template_points(256, "ffhq")
        five = transform_points(template, fit_similarity(template[:2], np.array(points[:2], np.float64)))
    else:
        five = np.array(points, np.float64)
    box = np.concatenate((corner, corner + size)).astype(np.float32)
    return Face(box, five.astype(np.float32), min(max(score, 0.0), 1.0))


def _sentence(backend: str, error: Exception) -> str:
    text = " ".join(str(error).split())
    if "download" in text.lower() or isinstance(error, OSError):
        return (
            f"The weights of DeepFace's {backend} cannot be fetched from the network: run once where the network is open and "
            f"copy ~/.deepface/weights from there (DEEPFACE_HOME says where it looks), {GO_ON}."
        )
    if isinstance(error, ImportError):
        return f"DeepFace's {backend} needs a package that is not installed ({text[:160]}), {GO_ON}."
    return f"DeepFace's {backend} failed ({text[:160]})."
