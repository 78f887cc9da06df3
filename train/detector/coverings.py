"""What people wear on their faces and hold before them, drawn on a photo by its landmarks."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.types import Image
from train.detector.boxes import face_outline
from train.detector.sources import texture


def cover_face(image: Image, landmarks: np.ndarray, rng: np.random.Generator) -> Image:
    """A copy of the photo with a mask, glasses, a hood, a beard or a hand over part of the face."""
    draw = (_mask, _glasses, _hood, _beard, _bar)[int(rng.choice(5, p=(0.3, 0.2, 0.2, 0.12, 0.18)))]
    out = np.array(image)
    draw(out, landmarks.astype(np.float32), rng)
    return out


def _cloth(image: Image, polygon: np.ndarray, rng: np.random.Generator, softness: float = 0.02) -> None:
    """Fills a polygon of the image with one colour, shaded a little, or with a texture."""
    height, width = image.shape[:2]
    area = np.zeros((height, width), np.uint8)
    cv2.fillPoly(area, [polygon.round().astype(np.int32)], 255)
    sigma = softness * float(np.ptp(polygon[:, 0]))
    if sigma > 0.3:
        area = cv2.GaussianBlur(area, (0, 0), sigma)
    if rng.random() < 0.25:
        fill = texture(width, height, rng).astype(np.float32)
    else:
        colour = np.array((235, 235, 235)) if rng.random() < 0.3 else rng.integers(0, 256, 3)
        fill = np.full((height, width, 3), colour, np.float32)
        fill *= np.linspace(rng.uniform(0.6, 1.1), rng.uniform(0.6, 1.1), width, dtype=np.float32)[:, None]
    weight = area[..., None].astype(np.float32) / 255
    np.copyto(image, (image * (1 - weight) + fill * weight).clip(0, 255).astype(np.uint8))


def _mask(image: Image, landmarks: np.ndarray, rng: np.random.Generator) -> None:
    """Over mouth and nose, from cheek to cheek."""
    top = landmarks[27 + int(rng.integers(1, 4))]
    _cloth(image, np.concatenate((landmarks[2:15], top[None])), rng)


def _glasses(image: Image, landmarks: np.ndarray, rng: np.random.Generator) -> None:
    eyes = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    apart = max(float(np.linalg.norm(eyes[1] - eyes[0])), 2.0)
    colour = tuple(int(c) for c in (rng.integers(0, 50, 3) if rng.random() < 0.7 else rng.integers(0, 256, 3)))
    radius, filled = rng.uniform(0.28, 0.42), rng.random() < 0.7
    thick = -1 if filled else max(1, round(0.05 * apart))
    turn = float(np.degrees(np.arctan2(*(eyes[1] - eyes[0])[::-1])))
    for eye in eyes:
        axes = 2 * radius * apart, 2 * radius * apart * rng.uniform(0.7, 1.0)
        cv2.ellipse(image, (tuple(map(float, eye)), axes, turn), colour, thick, cv2.LINE_AA)
    ends = [tuple(int(v) for v in p) for p in (landmarks[0], landmarks[36], landmarks[45], landmarks[16])]
    for a, b in ((ends[0], ends[1]), (ends[1], ends[2]), (ends[2], ends[3])):
        cv2.line(image, a, b, colour, max(1, round(0.06 * apart)), cv2.LINE_AA)


def _hood(image: Image, landmarks: np.ndarray, rng: np.random.Generator) -> None:
    """Cloth or darkness round the face: a hood, a scarf, a helmet."""
    outline = face_outline(landmarks)
    middle = outline.mean(0)
    inner = middle + (outline - middle) * rng.uniform(0.88, 1.05)
    outer = middle + (outline - middle) * rng.uniform(1.3, 1.8)
    _cloth(image, np.concatenate((outer, outer[:1], inner[:1], inner[::-1])), rng)


def _beard(image: Image, landmarks: np.ndarray, rng: np.random.Generator) -> None:
    """Dark or grey bristles over jaw and upper lip."""
    height, width = image.shape[:2]
    jaw = landmarks[3:14].copy()
    jaw[2:-2] += rng.uniform(0, 0.35) * (landmarks[8] - landmarks[33])
    area = np.zeros((height, width), np.uint8)
    ring = np.concatenate((jaw, landmarks[[54, 33, 48]]))
    cv2.fillPoly(area, [ring.round().astype(np.int32)], 255)
    cv2.fillPoly(area, [landmarks[48:60].round().astype(np.int32)], 0)
    weight = cv2.GaussianBlur(area, (0, 0), max(0.6, 0.03 * np.ptp(landmarks[:, 0])))[..., None] / 255.0
    weight = weight * rng.uniform(0.6, 1.0) * rng.uniform(0.5, 1.0, (height, width, 1))
    tone = rng.uniform(10, 90) if rng.random() < 0.75 else rng.uniform(120, 220)
    fill = tone * np.array([1.0, rng.uniform(0.75, 1), rng.uniform(0.6, 1)])
    np.copyto(image, (image * (1 - weight) + fill * weight).clip(0, 255).astype(np.uint8))


def _bar(image: Image, landmarks: np.ndarray, rng: np.random.Generator) -> None:
    """A hand, a phone, a neighbour's shoulder: hides up to two fifths of the face from one side."""
    low, high = landmarks.min(0), landmarks.max(0)
    size = high - low
    side = int(rng.integers(4))
    share = rng.uniform(0.1, 0.4)
    x0, y0, x1, y1 = low[0] - size[0], low[1] - size[1], high[0] + size[0], high[1] + size[1]
    if side == 0:
        x1 = low[0] + share * size[0]
    elif side == 1:
        x0 = high[0] - share * size[0]
    elif side == 2:
        y0 = high[1] - share * size[1]
    else:
        y1 = low[1] + 0.5 * share * size[1]
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
    _cloth(image, corners + rng.normal(0, 0.06, (4, 2)) * size, rng)
