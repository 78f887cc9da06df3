"""Rendered people whose every pixel has its class."""

from __future__ import annotations

import numpy as np
import pytest

from facerecon.head import HeadModel
from train.parsing.bodies import bust
from train.parsing.labels import BACKGROUND, FEATURES, HAIR, NECK, OTHER, SKIN, face_hull
from train.parsing.synthetic import LabelledFaces
from train.reconstruction.appearance import Assets


class Ball:
    """One wig: a ball of triangles round the crown."""

    wigs = [None]

    def wear(self, index: int, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        turn, rise = np.meshgrid(np.linspace(0, 2 * np.pi, 13), np.linspace(0.3, np.pi / 2, 6))
        points = np.stack([np.cos(turn) * np.cos(rise), np.sin(rise), np.sin(turn) * np.cos(rise)], -1).reshape(-1, 3)
        i = (np.arange(5)[:, None] * 13 + np.arange(12)).ravel()
        faces = np.concatenate([np.stack([i, i + 1, i + 13], 1), np.stack([i + 1, i + 14, i + 13], 1)])
        return (points * 0.11 + (0, 0.03, -0.07)).astype(np.float32), faces, np.ones(len(faces), np.float32)


@pytest.fixture(scope="module")
def maker() -> LabelledFaces:
    grey = np.full((8, 8, 3), 0.4, np.float32)
    assets = Assets(
        skins=[grey], skin_names=["young_lightskinned"], skin_means=grey[0, :1], brows=[np.zeros((8, 8), np.float32)],
        tongue=grey, environments=np.ones((1, 8, 16, 3), np.float32), backgrounds=[np.zeros((200, 200, 3), np.uint8)],
    )  # fmt: skip
    return LabelledFaces(HeadModel.from_pretrained(), assets, Ball(), 96)


def test_the_face_is_where_its_landmarks_are(maker: LabelledFaces) -> None:
    inside, outside = [], []
    for seed in range(8):
        face, classes = maker.sample(np.random.default_rng(seed))
        hull = face_hull(face.landmarks, 96)
        shown = np.isin(classes, (SKIN, FEATURES))
        inside.append((shown | np.isin(classes, (HAIR, OTHER)))[hull].mean())
        outside.append(shown[classes == BACKGROUND].mean() if (classes == BACKGROUND).any() else 0)
        assert face.image.shape == (96, 96, 3) and classes.shape == (96, 96)
    assert np.mean(inside) > 0.9 and max(outside) == 0


def test_every_class_is_drawn_and_the_same_seed_gives_the_same(maker: LabelledFaces) -> None:
    drawn = [maker.sample(np.random.default_rng(seed)) for seed in range(12)]
    assert set(np.unique(np.stack([classes for _, classes in drawn]))) == {BACKGROUND, SKIN, FEATURES, NECK, HAIR, OTHER}
    again, classes = maker.sample(np.random.default_rng(3))
    assert np.array_equal(again.image, drawn[3][0].image) and np.array_equal(classes, drawn[3][1])


def test_shoulders_hang_below_the_neck(maker: LabelledFaces) -> None:
    vertices = maker.head.vertices()[0].numpy()
    neck = maker.head.masks["neck"].numpy()
    for seed in range(5):
        points, faces, bare = bust(vertices, neck, np.random.default_rng(seed))
        assert points[:, 1].max() < vertices[neck][:, 1].max() + 0.08 and np.ptp(points[:, 0]) > np.ptp(vertices[neck][:, 0])
        assert faces.max() < len(points) and 0 <= bare.mean() < 0.9
