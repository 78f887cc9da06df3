from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from facerecon.faces.align import similarity_from_points, warp
from facerecon.faces.masks import FaceMasks
from facerecon.head import HeadModel
from facerecon.head.hair import DIRECTIONS
from facerecon.reconstruction.encoder import HeadEncoder
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.rendering.pictures import render_layer, vertices_in_camera
from train.reconstruction.config import CONFIGS
from facerecon.types import Face, FaceReconError
from train.reconstruction import evaluate_hair, evaluate_people
from train.reconstruction.evaluate import centered_face, landmark_benchmark


@pytest.fixture(scope="module")
def reconstructor():
    torch.manual_seed(0)
    head = HeadModel.from_pretrained()
    return HeadReconstructor(HeadEncoder(CONFIGS["tiny"].encoder, head), head)


def write_table(folder, tables):
    header = ",".join(["file", *(f"{axis}{i}" for i in range(68) for axis in "xy")])
    rows = [f"{name}," + ",".join(f"{v:.4f}" for v in marks.ravel()) for name, marks in tables.items()]
    (folder / "landmarks68.csv").write_text("\n".join([header, *rows]) + "\n")


def test_the_benchmark_measures_the_shift_of_the_labels(reconstructor, tmp_path):
    rng = np.random.default_rng(0)
    images = {f"{i}.png": rng.integers(0, 255, (100, 100, 3), dtype=np.uint8) for i in range(3)}
    for name, image in images.items():
        cv2.imwrite(str(tmp_path / name), image[..., ::-1])
    faces = [centered_face((100, 100))] * 3
    marks = {n: reconstructor.geometry(p)[1] for n, p in zip(images, reconstructor.encode(list(images.values()), faces))}
    write_table(tmp_path, marks)
    assert landmark_benchmark(reconstructor, tmp_path, faces)["mean_percent"] < 0.01
    sides = np.ptp(next(iter(marks.values())), axis=0)
    shift = 0.05 * np.sqrt(sides.prod())
    write_table(tmp_path, {n: m + (shift, 0) for n, m in marks.items()})
    assert landmark_benchmark(reconstructor, tmp_path, faces)["mean_percent"] == pytest.approx(5.0, abs=0.1)


def test_a_face_nobody_found_is_looked_for_in_the_middle():
    face = centered_face((120, 200, 3))
    assert np.abs(face.points.mean(0) - (100, 60)).max() < 0.5
    assert face.score == 0 and face.size > 40


def test_heads_are_compared_with_landmarks_by_group(reconstructor, tmp_path, monkeypatch):
    """One photo's head lies on its landmarks, another's 4 % aside, a third has none."""
    for name in ("4_0_0_1", "50_1_1_2", "30_1_2_3"):  # age, gender and race as UTKFace names them
        cv2.imwrite(str(tmp_path / f"{name}.jpg"), np.full((100, 100, 3), 120, np.uint8))
    face, image = centered_face((100, 100)), np.full((100, 100, 3), 120, np.uint8)
    marks = reconstructor.geometry(reconstructor.encode([image], [face])[0])[1]
    aside = 0.04 * np.sqrt(np.ptp(marks, axis=0).prod())
    errors = np.ones(68, np.float32)
    shifts = {"30": None, "4_": 0.0, "50": aside}

    def found(images):
        faces = [Face(face.box, face.points, 1.0, marks + (s, 0), errors) if s is not None else face for s in shifts.values()]
        return faces, 1

    monkeypatch.setattr(evaluate_people, "find_faces", found)
    told = evaluate_people.groups_benchmark(reconstructor, tmp_path)
    assert told["not_found"] == 1 and told["all"] == {"photos": 2, "mean_percent": pytest.approx(2.0, abs=0.1)}
    assert told["age_0_6"]["mean_percent"] < 0.05 and told["age_40_65"]["mean_percent"] == pytest.approx(4.0, abs=0.1)
    assert told["African"]["photos"] == told["Caucasian"]["photos"] == told["female"]["photos"] == 1
    assert reconstructor.fits


def test_hair_is_measured_by_what_heads_cover_above_the_eyes(reconstructor, tmp_path, monkeypatch):
    """The parser sees the head with four centimetres of hair: bald it covers too little, with that hair all of it."""
    image, thick = np.full((200, 200, 3), 120, np.uint8), np.full(DIRECTIONS, 0.04, np.float32)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    face = centered_face((200, 200))
    parameters = replace(reconstructor.encode([image], [face])[0], hair=thick)
    points = vertices_in_camera(reconstructor.geometry(parameters)[0], parameters)
    camera = (200, 200), parameters.focal_px, parameters.principal_point
    seen = render_layer(points, reconstructor.head, *camera, mode="depth")[..., 3]
    matrix = similarity_from_points(face.points, 128, "reconstruction")
    hair = warp(np.ascontiguousarray(seen), matrix, 128)
    masks = FaceMasks(np.stack([1 - hair, *np.zeros((3, 128, 128), np.float32), hair, np.zeros((128, 128), np.float32)]), matrix)
    monkeypatch.setattr(evaluate_hair, "find_faces", lambda images: ([face] * len(images), 0))
    monkeypatch.setattr(reconstructor, "masks_of", lambda *_: [masks])
    monkeypatch.setattr(reconstructor, "with_hair", lambda image, bald, *_: (replace(bald, hair=thick), None))
    told = evaluate_hair.hair_benchmark(reconstructor, tmp_path)
    assert told["photos"] == 1 and told["hair"] > 0.97 and told["bald"] < 0.9
    assert told["beside_covered"] > 0.9 and told["beside_is_hair"] > 0.9  # below the eyes, before the ears
    monkeypatch.setattr(reconstructor, "with_hair", lambda image, bald, *_: (bald, None))
    assert evaluate_hair.hair_benchmark(reconstructor, tmp_path)["beside_covered"] == 0
    monkeypatch.setattr(evaluate_hair, "find_faces", lambda images: ([face] * len(images), 1))
    with pytest.raises(FaceReconError, match="no photo"):
        evaluate_hair.hair_benchmark(reconstructor, tmp_path)
