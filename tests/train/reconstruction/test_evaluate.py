from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from facerecon.head import HeadModel
from facerecon.reconstruction.encoder import HeadEncoder
from facerecon.reconstruction.reconstructor import HeadReconstructor
from train.reconstruction.config import CONFIGS
from facerecon.types import Face
from train.reconstruction import evaluate_people
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
