"""Finds faces, aligns crops of them, chooses among them, pastes them back."""

from facerecon.faces.align import crop_face, points_from_landmarks, similarity_from_points, warp
from facerecon.faces.choose import choose_faces
from facerecon.faces.detect import FaceDetector, create_detector
from facerecon.faces.paste import crop_mask, paste_crops

__all__ = [
    "FaceDetector",
    "choose_faces",
    "create_detector",
    "crop_face",
    "crop_mask",
    "paste_crops",
    "points_from_landmarks",
    "similarity_from_points",
    "warp",
]
