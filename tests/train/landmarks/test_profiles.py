"""Profiles made of photos are what a camera beside the head would have taken."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from facerecon.head import HeadModel
from facerecon.reconstruction.encoder import EncoderConfig, HeadEncoder
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.reconstruction.trunk import TrunkConfig
from facerecon.rendering.pictures import overlay_head
from facerecon.types import Demographics, FaceReconError, HeadParameters
from train.landmarks import profiles as stage
from train.landmarks.data import Crops
from train.landmarks.profiles import Profiler, chosen
from train.landmarks.turned import frontality

GREY = 90


def about_y(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)


@pytest.fixture(scope="module")
def profiler():
    head = HeadModel.from_pretrained()
    trunk = TrunkConfig(image_size=32, channels=(32, 32, 32, 32), blocks=(1, 1, 1, 1), reduced=32, features=32)
    torch.manual_seed(0)
    return Profiler(HeadReconstructor(HeadEncoder(EncoderConfig(trunk)), head))


@pytest.fixture(scope="module")
def person(profiler):
    head = profiler.reconstructor.head
    values = (np.zeros(len(head.identity_labels)), np.zeros(len(head.expression_labels)), about_y(20), (0, 0, -0.9), (79.5, 79.5), np.zeros((9, 3)))
    identity, expression, rotation, translation, principal, light = (np.asarray(v, np.float32) for v in values)
    return HeadParameters(identity, expression, Demographics(age=30), rotation, translation, 480.0, principal, light)


def drawn(profiler, person, region=None):
    vertices, landmarks = profiler.reconstructor.geometry(person)
    ground = np.full((160, 160, 3), (30, GREY, 200), np.uint8)
    return overlay_head(ground, vertices, person, profiler.reconstructor.head), landmarks


def shown(picture):
    """Where a picture shows the grey head, not the coloured ground."""
    return np.ptp(picture.astype(int), axis=2) < 60


def test_a_head_turned_on_looks_as_if_photographed_from_there(profiler, person):
    photo, _ = drawn(profiler, person)
    turned, there = profiler.turn(photo, person, 45.0)
    landmarks = profiler.reconstructor.geometry(there)[1]
    wanted, truth = drawn(profiler, replace(person, rotation=about_y(65)))
    assert np.abs(landmarks - truth).max() < 0.5
    front = np.linalg.norm(np.indices((160, 160))[::-1].transpose(1, 2, 0) - truth[30], axis=2) < 45  # round the nose: its outline, brow to chin
    got, want, before = (shown(p)[front] for p in (turned, wanted, photo))
    assert (got != want).mean() < 0.06 < (before != want).mean()


def test_nothing_is_turned_by_no_turn(profiler, person):
    photo, seen = drawn(profiler, person)
    same, there = profiler.turn(photo, person, 0.0)
    assert np.abs(profiler.reconstructor.geometry(there)[1] - seen).max() < 1e-3
    assert np.abs(same.astype(int) - photo)[~_edge(shown(photo))].mean() < 1


def _edge(mask):


    return cv2.dilate(mask.astype(np.uint8), np.ones((13, 13))) != cv2.erode(mask.astype(np.uint8), np.ones((5, 5)))


def test_photos_no_head_fits_are_left_out(profiler, person, tmp_path, monkeypatch):
    photo, landmarks = drawn(profiler, person)
    scattered = np.random.default_rng(0).uniform(20, 140, (68, 2)).astype(np.float32)
    monkeypatch.setattr(stage, "_profiler", profiler)
    monkeypatch.setattr(stage, "_photos", (np.stack([photo, photo]), np.stack([scattered, landmarks])), raising=False)
    monkeypatch.setattr(stage.HeadReconstructor, "encode", lambda self, images, faces: [person for _ in faces])
    made = stage._make((0, np.array([0, 1])))
    assert len(made) == 1 and made[0][0].shape == photo.shape
    assert np.abs(made[0][1] - landmarks).max() > 10 and not np.allclose(made[0][2], person.rotation, atol=0.1)


def test_only_heads_turned_by_half_are_turned_on(profiler, person):
    looks = [drawn(profiler, replace(person, rotation=about_y(yaw)))[1] for yaw in (0, 25, 75, 25)]
    labels = {"landmarks": np.stack(looks), "disagreement": np.array([0.01, 0.01, 0.01, 0.05])}
    assert chosen(labels).tolist() == [1]


class AtOnce:
    """A pool of one worker, this process."""

    def __init__(self, workers, start, arguments):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    imap = staticmethod(map)


def test_the_output_is_read_as_rendered_faces_are(profiler, person, tmp_path, monkeypatch):
    photo, landmarks = drawn(profiler, replace(person, rotation=about_y(25)))
    crops, labels = np.stack([photo] * 5), {"landmarks": np.stack([landmarks] * 5), "disagreement": np.zeros(5)}
    np.savez(tmp_path / "labels.npz", **labels)
    monkeypatch.setattr(stage, "_profiler", profiler)
    monkeypatch.setattr(stage, "_photos", (crops, labels["landmarks"]), raising=False)
    monkeypatch.setattr(stage, "get_context", lambda _: SimpleNamespace(Pool=AtOnce))
    monkeypatch.setattr(stage.HeadReconstructor, "encode", lambda self, images, faces: [replace(person, rotation=about_y(25)) for _ in faces])
    assert stage.profiles(tmp_path, tmp_path / "out", 3, seed=0, workers=1) == 3
    read = Crops(tmp_path / "out", aside=2.0)
    assert len(read.images) == len(read.landmarks) == 3 and (frontality(np.stack(read.landmarks)) < 0.2).all()
    assert np.load(tmp_path / "out" / "labels.npz")["rotation"].shape == (3, 3, 3)

    monkeypatch.setattr(stage.HeadReconstructor, "encode", lambda self, images, faces: [person for _ in faces])
    np.savez(tmp_path / "labels.npz", **labels | {"disagreement": np.ones(5)})
    with pytest.raises(FaceReconError, match="no photo of a head turned by 10 to 40 degrees"):
        stage.profiles(tmp_path, tmp_path / "none", 3, seed=0, workers=1)
    assert not (tmp_path / "none").exists()
