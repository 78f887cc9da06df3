"""Does the head still look like the person? Faces embedded in the photo and in a picture of the head.

A head textured from its own photo and seen through the photo's camera is that photo again, whatever
its shape. So the head is turned aside before it is drawn, and the crop that both embeddings see
is aligned by the head's own landmarks there.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch

from facerecon.faces.align import crop_face, points_from_landmarks
from facerecon.identity import IdentityEncoder, similarity
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.rendering.pictures import render_head
from facerecon.types import Face, Image, Reconstruction
from train.data import open_dataset
from train.reconstruction.evaluate import find_faces

CROP = 256
BOX = (40, 56, 216, 232)  # of the face in a crop of FFHQ's framing, for the judge
TURNS = (-20.0, 20.0)  # degrees of yaw away from the pose in the photo
SIDE, FOCAL, DISTANCE_M = 320, 4.2, 1.0  # pixels, sides and metres of the pictures of heads
JUDGE = """
import json, sys
sys.path.insert(0, sys.argv[2])
import judges
from pathlib import Path
folder = Path(sys.argv[1])
print(json.dumps(judges.judge(folder, json.loads((folder / "photos.json").read_text()))))
"""


def likeness(ways: dict[str, HeadReconstructor], folder: Path, limit: int, peers: str | None) -> dict:
    """Mean likeness of photo and turned head by way: cosine of our embedding, and what dlib says (1 less its distance).

    Args:
        ways: reconstructors by name.
        folder: LFW's layout; the first photo of each person.
        limit: people.
        peers: a Python with dlib, or None.
    """
    encoder, pack = IdentityEncoder.from_pretrained(), open_dataset("lfw", folder)
    first = {}
    for i in range(len(pack)):
        first.setdefault(pack.labels(i).person, i)
    images = [pack.image(i) for i in sorted(first.values())[:limit]]
    faces = find_faces(images)[0]
    with tempfile.TemporaryDirectory() as place:
        crops = [crop_face(image, face.points, CROP, "ffhq")[0] for image, face in zip(images, faces)]
        photos = encoder.embed([encoder.crop(image, face) for image, face in zip(images, faces)])
        keep(Path(place) / "clean", crops, len(TURNS))
        result = {}
        for name, way in ways.items():
            seen = [view for image, face in zip(images, faces) for view in turned_views(way, image, face)]
            found = encoder.embed([crop_face(picture, points, encoder.size, "identity")[0] for picture, points in seen])
            result[name] = {"cosine": round(float(similarity(found, np.repeat(photos, len(TURNS), 0)).mean()), 4)}
            keep(Path(place) / name, [crop_face(picture, points, CROP, "ffhq")[0] for picture, points in seen])
        if peers:
            names = [{"name": f"{i:04d}", "box": BOX} for i in range(len(crops) * len(TURNS))]
            (Path(place) / "photos.json").write_text(json.dumps(names))
            source = Path(__file__).resolve().parents[1] / "restoration"
            done = subprocess.run([peers, "-c", JUDGE, place, str(source)], check=True, capture_output=True, text=True)
            for name, scores in json.loads(done.stdout.splitlines()[-1]).items():
                result[name]["dlib"] = round(float(np.mean([score["identity"] for score in scores.values()])), 4)
    return {"people": len(images), **result}


def turned_views(way: HeadReconstructor, image: Image, face: Face) -> list[tuple[Image, np.ndarray]]:
    """Pictures of the face's head turned about its own axis by ``TURNS``, and its five points (5, 2) in each."""
    head: Reconstruction = way.reconstruct([image], [face])[0]
    marks = way.head.landmarks(torch.from_numpy(head.vertices[None]))[0].numpy()
    focal, middle, views = SIDE * FOCAL, np.full(2, (SIDE - 1) / 2), []
    for degrees in TURNS:
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        pose = head.parameters.rotation @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        vertices, points = (v @ pose.T + (0, 0, -DISTANCE_M) for v in (head.vertices, marks))
        picture = render_head(
            vertices.astype(np.float32), way.head, SIDE, focal, middle, head.texture, "texture", background=(128, 128, 128)
        )
        pixels = middle + focal * points[:, :2] * (1, -1) / -points[:, 2:]
        views.append((picture, points_from_landmarks(pixels)))
    return views


def keep(folder: Path, crops: list[Image], repeat: int = 1) -> None:
    """Writes crops as numbered PNG files, each so many times."""
    folder.mkdir()
    for i, crop in enumerate(crop for crop in crops for _ in range(repeat)):
        cv2.imwrite(str(folder / f"{i:04d}.png"), np.ascontiguousarray(crop[..., ::-1]))
