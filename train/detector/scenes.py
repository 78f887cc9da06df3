"""Scenes with known faces, composed from single faces and from pictures that have none."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from facerecon.faces.align import MIRROR_68, transform_points
from facerecon.types import Image
from train.detector.boxes import face_box, five_points
from train.detector.coverings import cover_face
from train.detector.decoys import add_decoy
from train.detector.paste import outline_weight, paste_picture, placement, rectangle_weight, reduced
from train.detector.sources import Backgrounds, FaceMixture

SMALLEST, TOO_SMALL = 9.0, 6.5  # pixels: of faces drawn, and of those that count for nothing
VISIBLE = 0.5  # a face that shows less of its box counts for nothing
KINDS = {"crowd": 0.26, "group": 0.28, "close": 0.16, "mosaic": 0.1, "empty": 0.2}


@dataclass
class Scene:
    """A picture and the faces in it.

    Attributes:
        image: (H, W, 3) uint8.
        boxes: (4,) each, pixels.
        points: (5, 2) each, pixels; the first is the eye at the left of the upright face.
        ignored: whether a face is too small or too hidden to count, for or against.
        landmarks: (68, 2) each, pixels.
    """

    image: Image
    boxes: list[np.ndarray] = field(default_factory=list)
    points: list[np.ndarray] = field(default_factory=list)
    ignored: list[bool] = field(default_factory=list)
    landmarks: list[np.ndarray] = field(default_factory=list)

    def add(self, landmarks: np.ndarray) -> None:
        """Notes a face that was just put in front of all others."""
        box, (height, width) = face_box(landmarks), self.image.shape[:2]
        x0, y0, x1, y1 = (float(v) for v in box)
        for i, (a, b, c, d) in enumerate(self.boxes):
            if max(0, min(x1, c) - max(x0, a)) * max(0, min(y1, d) - max(y0, b)) > (1 - VISIBLE) * (c - a) * (d - b):
                self.ignored[i] = True
        area = (x1 - x0) * (y1 - y0)
        seen = max(0, min(x1, width) - max(x0, 0)) * max(0, min(y1, height) - max(y0, 0))
        inside = 0 <= x0 + x1 < 2 * width and 0 <= y0 + y1 < 2 * height
        if seen > 0.02 * area:
            self.boxes.append(box)
            self.points.append(five_points(landmarks))
            self.landmarks.append(landmarks)
            self.ignored.append(area < TOO_SMALL**2 or seen < VISIBLE * area or not inside)


class Composer:
    """Draws scenes.

    Args:
        faces: where faces come from.
        backgrounds: what lies behind them.
        size: side of the square scenes, pixels.
        kinds: shares of the kinds of scene, see ``KINDS``.
        turned: share of faces turned in the plane by up to 45 degrees; those upside down are a tenth of it.
    """

    def __init__(
        self, faces: FaceMixture, backgrounds: Backgrounds, size: int, kinds: dict[str, float] | None = None, turned: float = 0.4
    ) -> None:
        self.faces, self.backgrounds, self.size, self.turned = faces, backgrounds, size, turned
        self.kinds = kinds or KINDS

    def scene(self, rng: np.random.Generator, size: int | None = None) -> Scene:
        """A scene of a random kind, ``size`` pixels a side if that is not to be the composer's own."""
        if size not in (None, self.size):
            return Composer(self.faces, self.backgrounds, size, self.kinds, self.turned).scene(rng)
        names = list(self.kinds)
        kind = names[int(rng.choice(len(names), p=np.array(list(self.kinds.values())) / sum(self.kinds.values())))]
        scene = Scene(self.backgrounds.draw(self.size, self.size, rng))
        for _ in range(int(rng.poisson(1.2 if kind != "empty" else 5))):
            add_decoy(scene.image, self.faces, rng)
        if kind == "mosaic":
            self._mosaic(scene, rng)
        elif kind != "empty":
            self._scatter(scene, kind, rng)
        return scene

    def _scatter(self, scene: Scene, kind: str, rng: np.random.Generator) -> None:
        """Faces here and there, seldom one before the other; the small ones first, as they are the farthest."""
        count, low, high = {
            "crowd": (int(rng.integers(3, 15)), SMALLEST, 0.2 * self.size),
            "group": (int(rng.integers(1, 6)), 22.0, 0.55 * self.size),
            "close": (1, 0.35 * self.size, 1.35 * self.size),
        }[kind]
        for size in sorted(np.exp(rng.uniform(np.log(low), np.log(high), count))):
            for _ in range(8):
                center = self._position(size, rng)
                near = (np.abs((b[:2] + b[2:]) / 2 - center).max() < 0.55 * (size + np.sqrt((b[2:] - b[:2]).prod())) for b in scene.boxes)
                if not any(near) or rng.random() < 0.03:
                    self._paste(scene, size, center, rng)
                    break

    def _position(self, size: float, rng: np.random.Generator) -> np.ndarray:
        """Inside the scene mostly; large faces and a few others reach over its edge."""
        reach = 0.35 * size if rng.random() < 0.15 or size > 0.8 * self.size else -0.55 * size
        low, high = min(-reach, self.size / 2), max(self.size + reach, self.size / 2)
        return rng.uniform(low, high, 2)

    def _mosaic(self, scene: Scene, rng: np.random.Generator) -> None:
        """Photos side by side, as on a contact sheet."""
        across = int(rng.integers(2, 9))
        cell = self.size / across
        for row in range(across):
            for column in range(across):
                if rng.random() < 0.85:
                    centre = (np.array([column, row]) + 0.5 + rng.uniform(-0.08, 0.08, 2)) * cell
                    self._paste(scene, cell * rng.uniform(0.4, 0.75), centre, rng, tile=cell)

    def _paste(self, scene: Scene, size: float, center: np.ndarray, rng: np.random.Generator, tile: float = 0.0) -> None:
        picture, landmarks, whole = self.faces.draw(rng)
        picture, landmarks = reduced(picture, landmarks, size)
        if rng.random() < 0.25:
            picture = cover_face(picture, landmarks, rng)
        mirror = rng.random() < 0.5
        matrix = placement(landmarks, size, center, self._angle(rng) if not tile else rng.normal(0, 4), mirror)
        box = face_box(landmarks)
        middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        if tile:
            # In the grid's cell, whose side is this much in pixels of the picture.
            reach = np.full(2, tile / 2 / np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
            if not whole:
                reach = np.minimum(reach, 1.25 * half)
            weight = rectangle_weight(picture.shape, middle - reach, middle + reach)
        elif whole and rng.random() < 0.6:
            reach = half * rng.uniform(1.0, 3.0, 2)
            weight = rectangle_weight(picture.shape, middle - reach, middle + reach)
        else:
            grow = rng.uniform(1.05, 1.9 if whole else 1.3)
            weight = outline_weight(picture.shape, landmarks, grow, rng.uniform(0, 0.06))
        paste_picture(scene.image, _toned(picture, rng), weight, matrix)
        landmarks = landmarks[MIRROR_68] if mirror else landmarks
        scene.add(transform_points(landmarks, matrix))

    def _angle(self, rng: np.random.Generator) -> float:
        if rng.random() > self.turned:
            return float(rng.normal(0, 5))
        return float(rng.uniform(-45, 45) if rng.random() < 0.9 else rng.uniform(0, 360))


def _toned(picture: Image, rng: np.random.Generator) -> Image:
    """Brighter or darker by a little, so that faces in a scene are not lit alike."""
    if rng.random() < 0.5:
        return picture
    gain = np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.06, 3))
    return cv2.LUT(picture, np.clip(np.arange(256)[:, None] * gain, 0, 255).astype(np.uint8)[None])
