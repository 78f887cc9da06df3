from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from facerecon.head import HeadModel
from facerecon.reconstruction.encoder import HeadEncoder
from facerecon.reconstruction.reconstructor import HeadReconstructor
from train.reconstruction.config import CONFIGS
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
