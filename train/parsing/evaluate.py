"""How well the parser tells the parts of faces it was not trained on.

    python -m train.parsing.evaluate renders --data runs/parsing_renders
    python -m train.parsing.evaluate photos --data DATA/eval
    python -m train.parsing.evaluate speed
    python -m train.parsing.evaluate sheet --data DATA/eval --output sheet.png

Each prints JSON, of the shipped weights unless ``--weights`` names others. ``renders`` gives the intersection over union
of each class on held-out renders. On ``photos`` there is no truth but landmarks: what is called face (skin and features)
below the brows is held against the hull of the 68 true landmarks. ``sheet`` draws photos with their classes.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from facerecon.faces.align import points_from_landmarks, transform_points, warp
from facerecon.faces.masks import CLASSES, FACE, FaceMasks
from facerecon.faces.parsing import FaceParser
from facerecon.images import load_image, save_image
from facerecon.restoration.degradations import degrade
from facerecon.types import Image
from train.command_line import command
from train.landmarks.data import read_image, read_landmarks
from train.landmarks.label import YTF_SHIFT_PX
from train.parsing.data import held_out, stored_to_crop
from train.parsing.labels import face_hull

LEVELS = ("light", "medium", "heavy")
COLOURS = np.array([[70, 70, 70], [235, 190, 150], [220, 40, 40], [190, 120, 210], [60, 170, 60], [60, 90, 235]], np.uint8)
ROUNDS = 20


def overlaps(guessed: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Intersection over union (C,) of classes (N, S, S) over all pixels."""
    pairs = np.bincount((true.astype(np.int64) * len(CLASSES) + guessed).ravel(), minlength=len(CLASSES) ** 2)
    table = pairs.reshape(len(CLASSES), len(CLASSES))
    both = np.diag(table)
    return both / (table.sum(0) + table.sum(1) - both).clip(1)


def renders(parser: FaceParser, folder: Path, limit: int | None) -> dict[str, Any]:
    """IoU by class on the held-out renders of ``train.parsing.prerender``, as drawn and degraded."""
    images, classes = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("images", "classes"))
    chosen = np.flatnonzero(held_out(len(images)))[:limit]
    matrix, size = stored_to_crop(parser.size), parser.size
    true = np.stack([cv2.warpAffine(np.asarray(classes[i]), matrix, (size, size), flags=cv2.INTER_NEAREST) for i in chosen])
    out: dict[str, Any] = {"faces": len(chosen)}
    for level in ("clean", *LEVELS):
        crops = []
        for i in chosen:
            image = np.asarray(images[i])
            image = image if level == "clean" else degrade(image, level, np.random.default_rng(int(i)))
            crops.append(warp(image, matrix, size))
        guessed = np.concatenate([parser.see(np.stack(crops[k : k + 32])).argmax(1) for k in range(0, len(crops), 32)])
        iou = overlaps(guessed, true)
        out[level] = {**dict(zip(CLASSES, iou.round(3).tolist())), "mean": round(float(iou.mean()), 3)}
    return out


def hull_overlap(masks: FaceMasks, landmarks: np.ndarray) -> float:
    """IoU of what is called face and the hull of the landmarks (68, 2) of the photo, below the line of the brows."""
    points = transform_points(landmarks, masks.matrix)
    size = masks.probabilities.shape[1]
    left, right = points[17], points[26]
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    below = y > left[1] + (x - left[0]) * (right[1] - left[1]) / max(right[0] - left[0], 1e-3)
    hull, face = face_hull(points, size) & below, (masks.of(*FACE) > 0.5) & below
    return float((hull & face).sum() / max((hull | face).sum(), 1))


def photos(parser: FaceParser, root: Path, limit: int | None) -> dict[str, Any]:
    """Overlap with the landmarks' hull on frames of YouTube Faces, as they are and degraded."""
    table = read_landmarks(root / "YTF" / "landmarks68.csv")
    names = sorted(table)[:: max(1, len(table) // limit) if limit else 1]
    out: dict[str, Any] = {"faces": len(names)}
    for level in ("clean", *LEVELS):
        values = []
        for k, name in enumerate(names):
            image, landmarks = read_image(root / "YTF" / name), table[name] - YTF_SHIFT_PX
            image = image if level == "clean" else degrade(image, level, np.random.default_rng(k))
            values.append(hull_overlap(parser.predict(image, [points_from_landmarks(landmarks)])[0], landmarks))
        out[level] = {"mean": round(float(np.mean(values)), 3), "worst_tenth": round(float(np.percentile(values, 10)), 3)}
    return out


def speed(parser: FaceParser, one: int = 1, many: int = 16) -> dict[str, float]:
    """Milliseconds a face of a 640 x 480 photo, alone and in a batch, cutting included."""
    photo = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    face = np.array([[290, 220], [350, 220], [320, 255], [297, 285], [343, 285]], np.float32)
    out = {}
    for name, count in (("alone_ms", one), ("batch_of_16_ms", many)):
        parser.predict(photo, [face] * count)
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            parser.predict(photo, [face] * count)
            times.append((time.perf_counter() - started) / count * 1000)
        out[name] = round(float(np.median(times)), 2)
    return out


def painted(crop: Image, probabilities: np.ndarray) -> Image:
    """A crop (S, S, 3) with the colours of its classes over it."""
    colour = np.einsum("chw,cd->hwd", probabilities, COLOURS.astype(np.float32))
    return (crop * 0.45 + colour * 0.55).astype(np.uint8)


def sheet(parser: FaceParser, root: Path, output: Path, limit: int | None) -> dict[str, Any]:
    """Photos of ``degradations.csv``, and their heavily degraded selves, with classes; writes a picture."""
    from facerecon.faces import create_detector

    rows = [row for row in csv.DictReader(open(root / "degradations.csv")) if row["level"] == "heavy"][: limit or 30]
    detector, tiles = create_detector(refine=True), []
    for row in rows:
        clean, heavy = load_image(root / row["clean"]), load_image(root / row["file"])
        faces = detector.detect(clean)
        if not faces:
            continue
        masks = parser.predict([clean, heavy], faces[:1] * 2)
        crops = [warp(photo, masks[0].matrix, parser.size) for photo in (clean, heavy)]
        tiles.append(np.concatenate([part for crop, mask in zip(crops, masks) for part in (crop, painted(crop, mask.probabilities))]))
    lines = [np.concatenate(tiles[i : i + 10] + [np.zeros_like(tiles[0])] * (10 - len(tiles[i : i + 10])), 1) for i in range(0, len(tiles), 10)]
    save_image(output, np.concatenate(lines))
    return {"faces": len(tiles), "picture": str(output)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("renders", "photos", "speed", "sheet"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--weights", type=Path, help="a file or folder other than the shipped one")
    parser.add_argument("--output", type=Path, default=Path("runs/parsing_sheet.png"))
    parser.add_argument("--limit", type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = FaceParser.from_pretrained("cpu", args.weights)
    if args.what == "speed":
        print(json.dumps(speed(network), indent=1))
    elif args.what == "sheet":
        print(json.dumps(sheet(network, args.data, args.output, args.limit), indent=1))
    else:
        measure = {"renders": renders, "photos": photos}[args.what]
        print(json.dumps(measure(network, args.data, args.limit), indent=1))


if __name__ == "__main__":
    command(main)
