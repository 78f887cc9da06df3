"""Cuts faces out of photos so that eyes and mouth always lie at the same places."""

from __future__ import annotations

import math

import cv2
import numpy as np

from facerecon.types import CROP_SCALE, FaceReconError, Image

# Five points (eye at the picture's left, eye at its right, nose tip, mouth corners) as
# fractions of the crop's side. FFHQ framing (Karras et al. 2019), the points as
# CodeFormer (Zhou et al. 2022) publishes them for 512 pixels.
_FFHQ = (
    np.array([[192.98138, 239.94708], [318.90277, 240.1936], [256.63416, 314.01935], [201.26117, 371.41043], [313.08905, 371.15118]])
    + 0.5
) / 512  # fmt: skip

# A small network's pixels are spent on the face: FFHQ's face larger by a third, with little around it.
_TIGHTER, _TIGHTER_CENTER = 1.33, np.array([0.5, 0.72])
# FFHQ's face, smaller: at 60 degrees of yaw the back of the jaw and both ears still fit.
_LOOSER = 0.85
# What the head encoder sees: brow to chin fills the crop, and at 60 degrees of yaw the contour is still inside.
_HEAD, _HEAD_CENTER = 1.18, np.array([0.5, 0.56])
# The face alone, as face embeddings are given it (Deng et al., "ArcFace", CVPR 2019), published for 112 pixels.
_ARCFACE = (
    np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]) + 0.5
) / 112
TEMPLATES = {
    "restoration": _TIGHTER_CENTER + (_FFHQ - _TIGHTER_CENTER) * _TIGHTER,
    "reconstruction": 0.5 + (_FFHQ - 0.5) * _LOOSER,
    "head": 0.5 + (_FFHQ - _HEAD_CENTER) * _HEAD,
    "identity": _ARCFACE,
    "ffhq": _FFHQ,
}

# The five points of an upright face as fractions of its box.
_IN_BOX = np.array([[0.31, 0.39], [0.69, 0.39], [0.5, 0.57], [0.35, 0.75], [0.65, 0.75]])

# Where each of the five points, and each iBUG landmark, goes when the photo is mirrored.
MIRROR_5 = np.array([1, 0, 2, 4, 3])
MIRROR_68 = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)

# Beyond this many samples a pixel and axis, averaging more changes nothing one could see.
_MOST_SAMPLES = 32


def template_points(size: int, template: str) -> np.ndarray:
    """(5, 2) float64: where the five points lie in a crop of ``size`` pixels.

    Raises:
        FaceReconError: there is no such template.
    """
    if template not in TEMPLATES:
        raise FaceReconError(f"There is no alignment template called {template!r}: use {' or '.join(TEMPLATES)}.")
    return TEMPLATES[template] * size - 0.5


def similarity_from_points(points: np.ndarray, size: int, template: str = "restoration") -> np.ndarray:
    """The rotation, scale and shift that best bring five points onto a template.

    Least squares in closed form (Umeyama 1991); in the plane it is linear, and it never mirrors.

    Args:
        points: (5, 2) in pixels of the photo, in the order of ``Face.points``.
        size: side of the crop, pixels.
        template: a name in ``TEMPLATES``.

    Returns:
        (2, 3) float64: pixels of the photo to pixels of the crop.

    Raises:
        FaceReconError: unknown template, or points that all coincide.
    """
    return fit_similarity(points, template_points(size, template))


def fit_similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation, scale and shift (2, 3) float64 that best bring points (N, 2) onto others (N, 2).

    Raises:
        FaceReconError: the points all coincide.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(0), target.mean(0)
    x, y = (source - source_mean).T
    u, v = (target - target_mean).T
    spread = float((x * x + y * y).sum())
    if not spread > 1e-9:
        raise FaceReconError("The points of the face coincide, so it cannot be aligned.")
    a = float((x * u + y * v).sum()) / spread
    b = float((x * v - y * u).sum()) / spread
    linear = np.array([[a, -b], [b, a]])
    return np.concatenate((linear, (target_mean - linear @ source_mean)[:, None]), axis=1)


def reconstruction_matrix(points: np.ndarray, size: int, scale: float = CROP_SCALE) -> np.ndarray:
    """(2, 3) float64: pixels of the photo to those of the ``"head"`` crop about a face's five points (5, 2).

    ``scale`` is the framing; the template's own is ``CROP_SCALE``, twice that shows twice as much.
    """
    matrix = similarity_from_points(points, size, "head")
    zoom, middle = CROP_SCALE / scale, (size - 1) / 2
    return np.column_stack([zoom * matrix[:, :2], zoom * (matrix[:, 2] - middle) + middle])


def invert(matrix: np.ndarray) -> np.ndarray:
    """The inverse of a (2, 3) affine map, (2, 3) float64."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate((linear, -linear @ matrix[:, 2:]), axis=1)


def for_scaled(matrix: np.ndarray, factor: float) -> np.ndarray:
    """The (2, 3) map whose pixels come from the image at ``factor`` times its size; pixel centres lie at whole numbers in both."""
    linear = np.asarray(matrix, np.float64)[:, :2] / factor
    return np.column_stack((linear, matrix[:, 2] + linear @ np.full(2, 0.5 * (1 - factor))))


def transform_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """``points`` (..., 2) through a (2, 3) affine map."""
    return np.asarray(points) @ matrix[:, :2].T + matrix[:, 2]


def warp(image: np.ndarray, matrix: np.ndarray, size: int | tuple[int, int], border: int = cv2.BORDER_REFLECT_101) -> np.ndarray:
    """Resamples an image through an affine map.

    Where the map shrinks, every output pixel averages the input pixels it covers (no
    aliasing); where it enlarges, it is bicubic.

    Args:
        image: (H, W) or (H, W, C) uint8 or float32.
        matrix: (2, 3) pixels of the image to pixels of the output.
        size: side of the square output, or (width, height).
        border: an OpenCV border type for what lies outside the image; mirrored by default.

    Returns:
        The output, of the image's type and channels.
    """
    width, height = (size, size) if isinstance(size, int) else size
    # The smaller singular value tells by how much the map shrinks at most.
    shrink = float(np.linalg.svd(np.asarray(matrix)[:, :2], compute_uv=False)[-1])
    samples = min(_MOST_SAMPLES, max(1, math.ceil(1 / shrink - 0.05)))
    image = np.ascontiguousarray(image)
    if border == cv2.BORDER_REFLECT_101 and min(image.shape[:2]) == 1:
        border = cv2.BORDER_REPLICATE  # one row has no mirror image; OpenCV looks for it for ever
    if samples == 1:
        return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=border)
    fine = np.asarray(matrix, np.float64) * samples
    fine[:, 2] += (samples - 1) / 2
    large = cv2.warpAffine(image, fine, (width * samples, height * samples), flags=cv2.INTER_LINEAR, borderMode=border)
    return cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)


def resize(image: Image, side: int) -> Image:
    """A square image (S, S, 3) at another size: averaged where it shrinks, bicubic where it grows."""
    if image.shape[0] == side:
        return image
    kernel = cv2.INTER_AREA if image.shape[0] > side else cv2.INTER_CUBIC
    return cv2.resize(image, (side, side), interpolation=kernel)


def crop_face(image: Image, points: np.ndarray, size: int, template: str = "restoration") -> tuple[Image, np.ndarray]:
    """The aligned crop (size, size, 3) of a face, and the (2, 3) matrix that made it."""
    matrix = similarity_from_points(points, size, template)
    return warp(image, matrix, size), matrix


def mirror_matrix(matrix: np.ndarray, size: int) -> np.ndarray:
    """A crop's matrix followed by a left-right mirror."""
    flip = np.array([[-1.0, 0.0], [0.0, 1.0]])
    return np.concatenate((flip @ matrix[:, :2], (flip @ matrix[:, 2] + [size - 1, 0])[:, None]), axis=1)


def points_in_box(box: np.ndarray) -> np.ndarray:
    """Where an upright face's box (4,) has its five points on average, (5, 2)."""
    box = np.asarray(box, np.float64)
    return box[:2] + _IN_BOX * (box[2:] - box[:2])


def points_from_landmarks(landmarks: np.ndarray) -> np.ndarray:
    """The five alignment points from 68 iBUG landmarks.

    Args:
        landmarks: (..., 68, 2) or (..., 68, 3).

    Returns:
        (..., 5, 2 or 3): means of the six points round each eye, nose tip, mouth corners.
    """
    landmarks = np.asarray(landmarks)
    left, right = landmarks[..., 36:42, :].mean(-2), landmarks[..., 42:48, :].mean(-2)
    return np.stack((left, right, landmarks[..., 30, :], landmarks[..., 48, :], landmarks[..., 54, :]), axis=-2)
