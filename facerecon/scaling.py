"""A photo at another size, and its faces and heads in that."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from facerecon.faces.align import for_scaled
from facerecon.faces.masks import FaceMasks
from facerecon.types import Face, HeadParameters, Image, Reconstruction


def scale_parameters(parameters: HeadParameters, factor: float) -> HeadParameters:
    """The same head seen in a photo ``factor`` times the size."""
    principal_point = rescale_pixels(parameters.principal_point, factor)
    return replace(parameters, focal_px=parameters.focal_px * factor, principal_point=principal_point)


def rescale_pixels(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Positions (..., 2) in an image ``factor`` times the size; pixel centres lie at whole numbers in both."""
    return ((np.asarray(pixels, np.float32) + 0.5) * factor - 0.5).astype(np.float32)


def scale_face(face: Face, scale: int) -> Face:
    """The same face in a photo ``scale`` times the size."""
    if scale == 1:
        return face
    box = rescale_pixels(face.box.reshape(2, 2), scale).reshape(4)
    scaled = replace(face, box=box, points=rescale_pixels(face.points, scale))
    if face.landmarks is None:
        return scaled
    return replace(scaled, landmarks=rescale_pixels(face.landmarks, scale), landmark_errors=face.landmark_errors * scale)


def scale_masks(masks: FaceMasks, scale: int) -> FaceMasks:
    """The same masks for a photo ``scale`` times the size."""
    return replace(masks, matrix=for_scaled(masks.matrix, scale))


def head_in_photo(head: Reconstruction, indexed: tuple[int, Face], scale: int) -> Reconstruction:
    """A head rebuilt from an image ``scale`` times the photo's size, in pixels of the photo."""
    index, face = indexed
    parameters = scale_parameters(head.parameters, 1 / scale)
    landmarks = rescale_pixels(head.landmarks_68, 1 / scale)
    return replace(head, index=index, face=face, parameters=parameters, landmarks_68=landmarks)


def size_within(image: Image, side: int) -> tuple[int, int]:
    """Width and height of an image whose longer side is at most ``side`` pixels; its own where it is no larger."""
    height, width = image.shape[:2]
    factor = min(1.0, side / max(height, width))
    return max(round(width * factor), 1), max(round(height * factor), 1)


def shrink_to(image: Image, size: tuple[int, int]) -> Image:
    """An image (H, W, 3) brought to a width and height, averaged where it shrinks; itself where it has these."""
    return image if image.shape[1::-1] == size else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
