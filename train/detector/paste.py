"""Puts a picture, turned and scaled, into a scene."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.faces.align import transform_points, warp
from facerecon.types import Image
from train.detector.boxes import face_box, face_outline


def placement(landmarks: np.ndarray, size: float, center: np.ndarray, angle: float, mirror: bool) -> np.ndarray:
    """The (2, 3) matrix that makes a face's box ``size`` pixels large (root of its area, before turning).

    Args:
        landmarks: (68, 2) in pixels of the picture.
        size: pixels of the scene.
        center: (2,) where the box's centre goes.
        angle: degrees, clockwise as seen.
        mirror: whether left and right are exchanged.
    """
    box = face_box(landmarks)
    scale = size / np.sqrt(np.prod(box[2:] - box[:2]))
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    linear = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if mirror else 1.0, 1.0])
    return np.concatenate((linear, (center - linear @ ((box[:2] + box[2:]) / 2))[:, None]), axis=1)


def reduced(picture: Image, landmarks: np.ndarray, size: float) -> tuple[Image, np.ndarray]:
    """Picture and landmarks, smaller where the face is to be ``size`` pixels: what follows is cheap then."""
    box = face_box(landmarks)
    scale = 1.6 * size / float(np.sqrt(np.prod(box[2:] - box[:2])))
    if scale > 0.8:
        return picture, landmarks
    height, width = (max(8, round(side * scale)) for side in picture.shape[:2])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    ratio = np.array([width, height]) / picture.shape[1::-1]
    return small, ((landmarks + 0.5) * ratio - 0.5).astype(np.float32)


def paste_picture(scene: Image, picture: Image, weight: np.ndarray, matrix: np.ndarray) -> None:
    """Lays a picture into the scene, in place, where ``weight`` (H, W) uint8 of the picture says so."""
    height, width = picture.shape[:2]
    corners = transform_points(np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5, matrix)
    low = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, scene.shape[1::-1])
    if (high <= low).any():
        return
    local = np.array(matrix)
    local[:, 2] -= low
    size = tuple(int(v) for v in high - low)
    layer = warp(cv2.merge((*cv2.split(picture), weight)), local, size, cv2.BORDER_CONSTANT)
    alpha = layer[..., 3:].astype(np.uint16)
    target = scene[low[1] : high[1], low[0] : high[0]]
    mixed = target.astype(np.uint16) * (255 - alpha) + layer[..., :3].astype(np.uint16) * alpha
    target[:] = (mixed // 255).astype(np.uint8)


def rectangle_weight(shape: tuple[int, ...], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(H, W) uint8: 255 in a rectangle of the picture."""
    weight = np.zeros(shape[:2], np.uint8)
    x0, y0 = np.maximum(low, 0).astype(int)
    x1, y1 = high.astype(int)
    weight[y0 : max(y1, 0), x0 : max(x1, 0)] = 255
    weight[[0, -1], :] = 0
    weight[:, [0, -1]] = 0
    return weight


def outline_weight(shape: tuple[int, ...], landmarks: np.ndarray, grow: float, softness: float) -> np.ndarray:
    """(H, W) uint8: 255 in the face's outline, ``grow`` times as large, fading over ``softness`` of its width."""
    outline = face_outline(landmarks)
    middle = outline.mean(0)
    weight = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(weight, cv2.convexHull((middle + (outline - middle) * grow).round().astype(np.int32)), 255)
    sigma = softness * float(np.ptp(outline[:, 0]))
    weight = cv2.GaussianBlur(weight, (0, 0), sigma) if sigma > 0.4 else weight
    weight[[0, -1], :] = 0
    weight[:, [0, -1]] = 0
    return weight
