"""What stands in front of a face, painted over pictures and their labels: glasses, hands, things."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.faces.masks import CLASSES
from facerecon.types import Image

_SKIN, _OTHER = CLASSES.index("skin"), CLASSES.index("other")


def glasses(image: np.ndarray, labels: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rims, a bridge and temples; dark lenses on one in four. ``labels`` (S, S) changes in place; the image is returned anew."""
    size, cover = len(labels), np.zeros(labels.shape, np.float32)
    eyes = np.stack([landmarks[36:42].mean(0), landmarks[42:48].mean(0)])
    apart = float(np.linalg.norm(eyes[1] - eyes[0]))
    tilt = float(np.degrees(np.arctan2(*(eyes[1] - eyes[0])[::-1])))
    width = max(1, round(rng.uniform(0.6, 2.6) * size / 160))
    axes = apart * rng.uniform(0.3, 0.44), apart * rng.uniform(0.2, 0.36)
    dark, square = rng.random() < 0.25, rng.random() < 0.5
    lenses = np.zeros(labels.shape, np.float32)
    for eye in eyes:
        outline = _rim(eye, axes, tilt, 4.0 if square else 2.0)
        cv2.polylines(cover, [outline], True, 1.0, width, cv2.LINE_AA, 4)
        cv2.fillPoly(lenses, [outline], 1.0, cv2.LINE_AA, 4)
    along = (eyes[1] - eyes[0]) / max(apart, 1e-3)
    ends = [(eyes[0] + along * axes[0], eyes[1] - along * axes[0])]
    ends += [(eyes[0] - along * axes[0], landmarks[0]), (eyes[1] + along * axes[0], landmarks[16])]
    for a, b in ends:
        a, b = ((p * 16).round().astype(int).tolist() for p in (a, b))
        cv2.line(cover, a, b, 1.0, width, cv2.LINE_AA, 4)
    colour = rng.uniform(0, 80, 3) if rng.random() < 0.7 else rng.uniform(60, 230, 3)
    image = image * (1 - cover[..., None]) + cover[..., None] * colour
    if dark:
        strength = lenses[..., None] * rng.uniform(0.6, 1.0)
        image = image * (1 - strength) + strength * rng.uniform(0, 60, 3)
        cover = np.maximum(cover, lenses)
    elif rng.random() < 0.4:  # a reflection
        image = image + lenses[..., None] * rng.uniform(0, 60) * np.linspace(rng.uniform(0, 1), rng.uniform(0, 1), size)[None, :, None]
    labels[cover > 0.5] = _OTHER
    return image


def _rim(centre: np.ndarray, axes: tuple[float, float], tilt: float, power: float) -> np.ndarray:
    """Corners of a superellipse, for OpenCV with four bits of fraction."""
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    shape = np.stack([np.sign(np.cos(t)) * np.abs(np.cos(t)) ** (2 / power), np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 / power)], 1)
    c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    return ((shape * axes @ np.array([[c, s], [-s, c]]) + centre) * 16).round().astype(np.int32)


def hand(image: np.ndarray, labels: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A palm and some fingers in a skin's colour, with shade at their sides."""
    size = len(labels)
    tone = image[labels == _SKIN]
    tone = np.median(tone, 0) * np.exp(rng.normal(0, 0.15, 3)) if len(tone) and rng.random() < 0.8 else rng.uniform(40, 230) * np.array([1, 0.78, 0.66])
    target = landmarks[rng.integers(0, 68)] + rng.normal(0, 0.04, 2) * size
    angle = rng.uniform(0, 2 * np.pi)
    away = np.array([np.cos(angle), np.sin(angle)])
    side, length = np.array([-away[1], away[0]]), rng.uniform(0.12, 0.24) * size
    shape = np.zeros(labels.shape, np.float32)
    thick = max(int(rng.uniform(0.035, 0.07) * size), 2)
    base = target + away * length
    for k in range(int(rng.integers(1, 5))):
        finger = np.zeros_like(shape)
        offset = side * (k - 1.2) * thick * rng.uniform(0.9, 1.15)
        tip = target + offset + away * rng.uniform(-0.05, 0.05) * size
        cv2.line(finger, _pixel(tip), _pixel(base + offset), 1.0, thick, cv2.LINE_AA)
        core = cv2.GaussianBlur(finger, (0, 0), thick / 4)
        shape = np.where(finger > 0.5, core, shape)
    palm = np.zeros_like(shape)
    cv2.ellipse(palm, _pixel(base + away * thick * 2.2), (int(thick * 2.6), int(thick * 2.4)), float(np.degrees(angle)), 0, 360, 1.0, -1, cv2.LINE_AA)
    shape = np.maximum(shape, cv2.GaussianBlur(palm, (0, 0), 1.5) * (palm > 0.5))
    cover = (shape > 0.01).astype(np.float32)
    light = rng.uniform(0.4, 0.75) + (1 - rng.uniform(0.4, 0.75)) * np.clip(shape * 1.3, 0, 1)
    labels[cover > 0.5] = _OTHER
    cover = cv2.GaussianBlur(cover, (0, 0), 0.6)[..., None]
    return image * (1 - cover) + cover * tone * light[..., None]


def thing(image: np.ndarray, labels: np.ndarray, picture: Image, rng: np.random.Generator) -> np.ndarray:
    """A cup, a phone, a scarf: a smooth or cornered shape with a piece of some picture, or of one colour, on it."""
    size = len(labels)
    count = int(rng.integers(4, 12))
    turn = np.sort(rng.uniform(0, 2 * np.pi, count))
    radius = rng.uniform(0.06, 0.3) * size * rng.uniform(0.6, 1.2, count)
    centre = np.array([rng.uniform(0, 1), rng.uniform(0.1, 1.1)]) * size
    corners = centre + np.stack([np.cos(turn), np.sin(turn) * rng.uniform(0.5, 1.5)], 1) * radius[:, None]
    cover = np.zeros(labels.shape, np.float32)
    cv2.fillPoly(cover, [corners.round().astype(np.int32)], 1.0, cv2.LINE_AA)
    if rng.random() < 0.6:
        cover = (cv2.GaussianBlur(cover, (0, 0), rng.uniform(1, 6)) > 0.5).astype(np.float32)
    y, x = (int(rng.integers(0, max(s - size, 1))) for s in picture.shape[:2])
    patch = picture[y : y + size, x : x + size].astype(np.float32)
    if rng.random() < 0.5 or patch.shape[:2] != labels.shape:
        patch = np.tile(rng.uniform(5, 240, 3), (size, size, 1)) * np.linspace(1, rng.uniform(0.6, 1), size)[:, None, None]
    labels[cover > 0.5] = _OTHER
    cover = cv2.GaussianBlur(cover, (0, 0), 0.6)[..., None]
    return image * (1 - cover) + cover * patch


def _pixel(point: np.ndarray) -> tuple[int, int]:
    return int(round(float(point[0]))), int(round(float(point[1])))
