"""Composes the detector's test: scenes with known faces out of photos that no training saw, and scenes without any.

    python -m train.detector.testset --data DATA/eval --backgrounds PICTURES... --labeller runs/landmarks/landmarks.safetensors --output runs/detector/test

Truth comes from the packs' own landmarks (YouTube Faces, SCUT-FBP5500's points brought to 68 by the labeller)
and from the landmark labeller of ``train.landmarks`` on the single photos at their full size, where both
its looks agree; nothing that is measured here says where a face is. 200 scenes have 400 faces, upright or
turned by 20 to 45 degrees, 12 to 300 pixels large; 100 more have none. Three scenes in four are ordinary photos,
the rest bad ones (blurred, dark, noisy, grey, much compressed); one face in eight wears a mask, glasses, a hood or
a beard that was drawn on it, or is partly hidden. The seed is fixed. A labeller that was hardly trained is sure of few photos but the frames of YouTube Faces: look at the
counts that are printed first.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facerecon.demographics.labels import RACE_SYSTEMS
from facerecon.faces.align import transform_points
from facerecon.faces.detect import create_detector
from facerecon.types import Image
from train.command_line import command
from train.detector.boxes import face_box, five_points
from train.detector.coverings import cover_face
from train.detector.decoys import add_decoy
from train.detector.paste import outline_weight, paste_picture, placement, rectangle_weight, reduced
from train.detector.photograph import photograph, snapshot
from train.detector.prepare import SURE, cut, label
from train.detector.sources import Backgrounds
from train.landmarks.data import read_image, read_landmarks
from train.landmarks.label import YTF_SHIFT_PX, Labeller
from train.landmarks.packs import FRAMINGS, middle_age
from train.landmarks.turned import HALF_PROFILE, PROFILE, frontality

WIDTH, HEIGHT = 640, 480
FACE_SCENES, EMPTY_SCENES, FACES = 200, 100, 400
SIZES = ((12.0, 24.0), (24.0, 60.0), (60.0, 300.0))
TURNED, COVERED, BAD = 0.25, 0.12, 0.25


@dataclass
class TestFace:
    """A photo of one face that no training saw, with landmarks (68, 2) and what is known of the person."""

    image: Image
    landmarks: np.ndarray
    pack: str
    facts: dict[str, str]


class _Pool(list):
    """Test faces, drawn from as a source of ``train.detector.sources``."""

    def draw(self, rng: np.random.Generator, whole: bool = False) -> tuple[Image, np.ndarray, bool]:
        face = self[int(rng.integers(len(self)))]
        return face.image, face.landmarks, True


def read_faces(root: Path, labeller: Labeller, each: int) -> list[TestFace]:
    """About ``each`` photos of each pack of the evaluation folder, labelled."""
    table = read_landmarks(root / "YTF" / "landmarks68.csv")
    faces = []
    for name in _thinned(sorted(table), each):
        image, landmarks = cut(read_image(root / "YTF" / name), table[name] - YTF_SHIFT_PX)
        faces.append(TestFace(image, landmarks, "ytf", {"yaw": yaw_bin(landmarks)}))
    photos = [(path, "scut", {"race": {"A": "Asian", "C": "White"}[path.name[0]]}) for path in _thinned(sorted((root / "SCUT-FBP5500" / "Images").glob("*.webp")), each // 2)]
    for path in _thinned(sorted((root / "UTKFace").glob("*.webp")), each):
        age, _, race = path.name.split("_")[:3]
        photos.append((path, "utkface", {"race": list(RACE_SYSTEMS["utkface"])[int(race)], "age": age_group(float(age))}))
    with open(root / "FairFace" / "fairface_label_val.csv", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if (root / "FairFace" / row["file"]).is_file()]
    for row in _thinned(rows, 2 * each):
        photos.append((root / "FairFace" / row["file"], "fairface", {"race": row["race"], "age": age_group(middle_age(row["age"]))}))
    photos += [(path, "lfw", {}) for path in _thinned(sorted((root / "LFW").glob("*/*.webp")), each)]
    detector = create_detector("mtcnn", threshold=0.9)
    for path, pack, facts in photos:
        image = read_image(path)
        landmarks, doubt = label(labeller, detector, [image], [FRAMINGS[pack]])
        if doubt[0] <= SURE:
            part, points = cut(image, landmarks[0])
            faces.append(TestFace(part, points, pack, {**facts, "yaw": yaw_bin(points)}))
    return faces


def age_group(age: float) -> str:
    """Child, adult or old."""
    return "child (under 13)" if age < 13 else "old (60 and more)" if age >= 60 else "13 to 59"


def yaw_bin(landmarks: np.ndarray) -> str:
    """How far the nose has left the middle between the sides of the jaw."""
    ratio = float(frontality(landmarks))
    return "frontal" if ratio > HALF_PROFILE else "half profile" if ratio > PROFILE else "profile"


def compose(faces: list[TestFace], backgrounds: Backgrounds, seed: int = 20) -> tuple[list[Image], list[dict]]:
    """All scenes (480, 640, 3), and what is in each: size row, turn, box, points and facts of every face."""
    rng, pool = np.random.default_rng(seed), _Pool(faces)
    counts = np.full(FACE_SCENES, FACES // FACE_SCENES)
    counts[: FACE_SCENES // 2] = 1
    counts[FACE_SCENES // 2 :] = 3  # one half of the scenes are groups
    images, truth = [], []
    for count in [*counts, *[0] * EMPTY_SCENES]:
        scene = backgrounds.draw(WIDTH, HEIGHT, rng)
        for _ in range(int(rng.integers(0, 2 if count else 4))):
            add_decoy(scene, pool, rng)
        found = _group(scene, pool, int(count), rng)
        bad = bool(rng.random() < BAD)
        images.append(photograph(scene, rng) if bad else snapshot(scene, rng))
        truth.append({"faces": found, "bad": bad})
    return images, truth


def _group(scene: Image, pool: _Pool, count: int, rng: np.random.Generator) -> list[dict]:
    """Pastes so many faces, each beside the others."""
    found: list[dict] = []
    while len(found) < count:
        if entry := _place(scene, pool, found, rng):
            found.append(entry)
    return found


def _place(scene: Image, pool: _Pool, others: list[dict], rng: np.random.Generator) -> dict | None:
    """Pastes one face; None where there was no room."""
    face = pool[int(rng.integers(len(pool)))]
    low, high = SIZES[int(rng.integers(len(SIZES)))]
    size = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    turned = rng.random() < TURNED
    angle = float(rng.uniform(20, 45) * rng.choice((-1, 1)) if turned else rng.normal(0, 5))
    center = rng.uniform(0.6 * size, np.array([WIDTH, HEIGHT]) - 0.6 * size)
    for other in others:
        box = np.array(other["box"])
        if np.abs((box[:2] + box[2:]) / 2 - center).max() < 0.8 * (size + np.sqrt(np.prod(box[2:] - box[:2]))):
            return None
    picture, landmarks = reduced(face.image, face.landmarks, size)
    covered = rng.random() < COVERED
    if covered:
        picture = cover_face(picture, landmarks, rng)
    matrix = placement(landmarks, size, center, angle, False)
    box = face_box(landmarks)
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    if rng.random() < 0.6:
        weight = rectangle_weight(picture.shape, middle - 2 * half, middle + 2 * half)
    else:
        weight = outline_weight(picture.shape, landmarks, 1.5, 0.04)
    paste_picture(scene, picture, weight, matrix)
    placed = transform_points(landmarks, matrix)
    facts = {**face.facts, "pack": face.pack, "face": "covered" if covered else "bare"}
    return {"size": size, "turned": turned, "box": face_box(placed).tolist(), "points": five_points(placed).tolist(), "facts": facts}


def _thinned(items: list, count: int) -> list:
    return [items[int(i)] for i in np.linspace(0, len(items) - 1, min(count, len(items)))]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the evaluation packs")
    parser.add_argument("--backgrounds", type=Path, nargs="+", required=True, help="pictures without a face that training did not see")
    parser.add_argument("--labeller", type=Path, required=True, help="weights of train.landmarks")
    parser.add_argument("--each", type=int, default=90, help="photos of each pack")
    parser.add_argument("--output", type=Path, default=Path("runs/detector/test"))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    faces = read_faces(args.data, Labeller.load(args.labeller), args.each)
    print("photos whose labels are sure, by pack:", dict(Counter(face.pack for face in faces)))
    images, truth = compose(faces, Backgrounds(args.backgrounds))
    args.output.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        cv2.imwrite(str(args.output / f"{i:03d}.png"), image[..., ::-1])
    (args.output / "truth.json").write_text(json.dumps(truth))
    print(sum(len(scene["faces"]) for scene in truth), "faces in", len(images), "scenes")


if __name__ == "__main__":
    command(main)
