"""What could be taken for a face and is none."""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.types import Image
from train.detector.boxes import face_box
from train.detector.paste import outline_weight, paste_picture, placement, rectangle_weight, reduced
from train.detector.sources import FaceMixture, texture


def add_decoy(scene: Image, faces: FaceMixture, rng: np.random.Generator) -> None:
    """Puts one into the scene, in place: a part of a face, a shuffled face, a head without face, a limb, writing, dots."""
    kinds = (_part, _shuffled, _faceless, _surroundings, _limb, _writing, _dots)
    draw = kinds[int(rng.choice(len(kinds), p=(0.2, 0.12, 0.2, 0.18, 0.12, 0.1, 0.08)))]
    draw(scene, faces, rng)


def _spot(scene: Image, rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """A size in pixels and a place."""
    side = min(scene.shape[:2])
    return float(np.exp(rng.uniform(np.log(10), np.log(0.7 * side)))), rng.uniform(0, 1, 2) * scene.shape[1::-1]


def _part(scene: Image, faces: FaceMixture, rng: np.random.Generator) -> None:
    """An eye, a mouth, a cheek with its ear: at most a third of a face, enlarged."""
    picture, landmarks, _ = faces.draw(rng)
    box = face_box(landmarks)
    size = (box[2:] - box[:2]) * rng.uniform(0.22, 0.42, 2)
    low = box[:2] + rng.uniform(0, 1, 2) * (box[2:] - box[:2] - size)
    side, center = _spot(scene, rng)
    matrix = placement(landmarks, 2.2 * side, center, float(rng.normal(0, 20)), rng.random() < 0.5)
    matrix[:, 2] += center - (matrix[:, :2] @ (low + size / 2) + matrix[:, 2])
    paste_picture(scene, picture, rectangle_weight(picture.shape, low, low + size), matrix)


def _shuffled(scene: Image, faces: FaceMixture, rng: np.random.Generator) -> None:
    """The right stuff in the wrong order: quarters, or strips, of a face exchanged."""
    picture, landmarks, _ = faces.draw(rng)
    x0, y0, x1, y1 = face_box(landmarks).round().astype(int).clip(0)
    patch = np.array(picture[y0:y1, x0:x1])
    rows, columns = (2, 2) if rng.random() < 0.6 else (3, 1)
    h, w = patch.shape[0] // rows, patch.shape[1] // columns
    if min(h, w) < 2:
        return
    order = np.roll(np.arange(rows * columns), int(rng.integers(1, rows * columns)))
    pieces = [patch[r * h : (r + 1) * h, c * w : (c + 1) * w].copy() for r in range(rows) for c in range(columns)]
    for place, piece in zip(order, pieces):
        r, c = divmod(int(place), columns)
        patch[r * h : (r + 1) * h, c * w : (c + 1) * w] = piece
    side, center = _spot(scene, rng)
    scale = side / max(patch.shape[:2])
    matrix = np.array([[scale, 0, center[0] - scale * patch.shape[1] / 2], [0, scale, center[1] - scale * patch.shape[0] / 2]])
    paste_picture(scene, patch, rectangle_weight(patch.shape, np.zeros(2), np.array(patch.shape[1::-1])), matrix)


def _faceless(scene: Image, faces: FaceMixture, rng: np.random.Generator) -> None:
    """A head whose face is plain skin, hair or cloth: the back of a head, a hood in the dark."""
    picture, landmarks, _ = faces.draw(rng, whole=True)
    side, center = _spot(scene, rng)
    picture, landmarks = reduced(picture, landmarks, side)
    weight = outline_weight(picture.shape, landmarks, rng.uniform(1.0, 1.12), 0.05)[..., None] / 255.0
    kind = rng.random()
    if kind < 0.5:
        x, y = landmarks[int(rng.integers(0, 17))].round().astype(int).clip(0, np.array(picture.shape[1::-1]) - 1)
        fill = np.broadcast_to(picture[y, x].astype(np.float32), picture.shape)
        noise = rng.normal(0, 8, (9, 9, 1)).astype(np.float32)
        fill = fill + cv2.resize(noise, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)[..., None]
    else:
        fill = texture(picture.shape[1], picture.shape[0], rng).astype(np.float32)
    headless = (picture * (1 - weight) + fill * weight).clip(0, 255).astype(np.uint8)
    box = face_box(landmarks)
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    reach = half * rng.uniform(1.2, 2.5)
    matrix = placement(landmarks, side, center, float(rng.normal(0, 8)), rng.random() < 0.5)
    paste_picture(scene, headless, rectangle_weight(picture.shape, middle - reach, middle + reach), matrix)


def _surroundings(scene: Image, faces: FaceMixture, rng: np.random.Generator) -> None:
    """Shoulders, hair, a wall: a photo's part beside, above or below its face."""
    picture, landmarks, _ = faces.draw(rng, whole=True)
    box, size = face_box(landmarks), np.array(picture.shape[1::-1])
    inset = 0.12 * (box[2:] - box[:2])
    strips = [
        (np.zeros(2), np.array([box[0] + inset[0], size[1]])),
        (np.array([box[2] - inset[0], 0]), size),
        (np.zeros(2), np.array([size[0], box[1] + inset[1]])),
        (np.array([0, box[3] - inset[1]]), size),
    ]
    strips = [(low, high) for low, high in strips if (high - low > 12).all()]
    if not strips:
        return
    low, high = strips[int(rng.integers(len(strips)))]
    side, center = _spot(scene, rng)
    scale = 1.5 * side / max(high - low)
    matrix = np.concatenate((np.eye(2) * scale, (center - scale * (low + high) / 2)[:, None]), axis=1)
    paste_picture(scene, picture, rectangle_weight(picture.shape, low, high), matrix)


def _limb(scene: Image, faces: FaceMixture, rng: np.random.Generator) -> None:
    """Hands, arms and other skin: rounded strokes shaded across, in the colour of somebody's cheek."""
    picture, landmarks, _ = faces.draw(rng)
    x, y = landmarks[[2, 14, 30]].mean(0).round().astype(int).clip(0, np.array(picture.shape[1::-1]) - 1)
    colour = picture[y, x].astype(np.float64)
    side, center = _spot(scene, rng)
    thick = max(2, round(0.22 * side))
    angle = rng.uniform(0, 2 * np.pi)
    for finger in range(int(rng.integers(1, 5))):
        start = center + finger * 1.05 * thick * np.array([-np.sin(angle), np.cos(angle)])
        end = start + side * rng.uniform(0.6, 1.3) * np.array([np.cos(angle), np.sin(angle)])
        for shade, width in ((0.75, thick), (1.0, round(0.7 * thick)), (1.1, round(0.3 * thick))):
            tone = tuple(float(v) for v in (colour * shade).clip(0, 255))
            cv2.line(scene, tuple(map(int, start)), tuple(map(int, end)), tone, max(1, width), cv2.LINE_AA)


def _writing(scene: Image, faces: FaceMixture, rng: np.random.Generator) -> None:
    side, center = _spot(scene, rng)
    word = "".join(chr(int(c)) for c in rng.integers(33, 123, int(rng.integers(2, 12))))
    colour = tuple(int(c) for c in rng.integers(0, 256, 3))
    scale = max(0.3, side / 90)
    font = int(rng.choice((cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX)))
    cv2.putText(scene, word, tuple(map(int, center)), font, scale, colour, max(1, round(2 * scale)), cv2.LINE_AA)


def _dots(scene: Image, faces: FaceMixture, rng: np.random.Generator) -> None:
    """A disc with dark dots that do not lie as eyes and mouth do: sockets, buttons, fruit, headlights."""
    side, center = _spot(scene, rng)
    disc, dark = rng.integers(60, 256, 3), rng.integers(0, 70, 3)
    if rng.random() < 0.6:
        axes = side * rng.uniform(0.6, 1.2, 2)
        cv2.ellipse(scene, (tuple(map(float, center)), tuple(map(float, axes)), float(rng.uniform(0, 180))), tuple(map(int, disc)), -1, cv2.LINE_AA)
    for _ in range(int(rng.integers(1, 7))):
        spot = center + rng.uniform(-0.35, 0.35, 2) * side
        cv2.circle(scene, tuple(map(int, spot)), max(1, int(rng.uniform(0.04, 0.13) * side)), tuple(map(int, dark)), -1, cv2.LINE_AA)
