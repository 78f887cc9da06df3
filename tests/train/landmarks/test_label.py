from __future__ import annotations

import numpy as np
import torch
from torch import nn

from facerecon.faces.align import template_points
from facerecon.faces.align import mirror_matrix
from train.landmarks.augment import cover, damage, jittered_matrix
from train.landmarks.label import STORED, Labeller, stored_matrix
from train.landmarks.network import LandmarkNetwork
from train.landmarks.packs import FRAMINGS, Framing, photos
from facerecon.faces.align import transform_points
from facerecon.reconstruction.trunk import TrunkConfig

TINY = TrunkConfig(image_size=64, channels=(32, 32, 32, 32), blocks=(1, 1, 1, 1), reduced=32, features=64)


def template_landmarks(size):
    """68 points whose five alignment points lie on the template."""
    five = template_points(size, "reconstruction")
    points = np.tile(five.mean(0), (68, 1))
    points[36:42], points[42:48], points[30], points[48], points[54] = five
    return points


class SpotFinder(nn.Module):
    """Sees a face template around the brightest spot: a perfect labeller of a one-spot world."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.trunk = nn.Module()
        self.trunk.config = TINY

    def forward(self, crops):
        light = crops.float().mean(1)
        light = (light - 0.5).clamp_min(0)
        axis = torch.arange(64.0)
        x = (light.sum(1) * axis).sum(1) / light.sum((1, 2))
        y = (light.sum(2) * axis).sum(1) / light.sum((1, 2))
        points = torch.from_numpy(template_landmarks(64)).float()
        points = points - points[30] + torch.stack((x, y), 1)[:, None]
        return (points + 0.5) / 64 - 0.5


def test_a_face_off_centre_is_found_in_the_photos_own_pixels():
    image = np.zeros((200, 200, 3), np.uint8)
    image[110:117, 120:127] = 255
    landmarks, disagreement = Labeller(SpotFinder()).label([image], [Framing((1.2,))])
    assert np.abs(landmarks[0, 30] - (123, 113)).max() < 2
    assert disagreement[0] < 0.05


def test_disagreement_with_the_mirror_image_is_noticed():
    torch.manual_seed(0)
    network = LandmarkNetwork(TINY)
    nn.init.normal_(network.head.bias, std=0.2)  # an answer that pays no heed to the picture
    image = np.random.default_rng(0).integers(0, 255, (96, 96, 3), dtype=np.uint8)
    assert Labeller(network).label([image], [Framing((1.0,))])[1][0] > 0.05


def test_stored_crops_hold_the_template_in_their_middle():
    landmarks = template_landmarks(300) * 0.7 + 40
    five = transform_points(landmarks, stored_matrix(landmarks))[[36, 42, 30, 48, 54]]
    assert np.abs(five.mean(0) - STORED / 2).max() < 0.1 * STORED
    assert np.linalg.norm(five[0] - five[1]) < 0.25 * STORED


def test_mirroring_twice_changes_nothing():
    matrix = np.array([[0.9, -0.2, 5.0], [0.2, 0.9, -3.0]])
    assert np.allclose(mirror_matrix(mirror_matrix(matrix, 64), 64), matrix)


def test_jitter_turns_about_the_centre():
    rng = np.random.default_rng(0)
    matrix = jittered_matrix(np.array([[1.0, 0, 0], [0, 1.0, 0]]), 65, rng, turn=30, zoom=0.3, shift=0)
    assert np.allclose(transform_points(np.array([32.0, 32.0]), matrix), 32)


def test_damage_keeps_size_and_type_and_the_input():
    image = np.full((48, 48, 3), 90, np.uint8)
    before = image.copy()
    for seed in range(30):
        out = damage(image, np.random.default_rng(seed))
        assert out.shape == image.shape and out.dtype == np.uint8
    assert (image == before).all()
    cover(image, np.random.default_rng(1))
    assert (image != before).any()


def test_labels_are_read_from_the_datasets_own_names(tmp_path):
    for name in ("UTKFace/25_0_1_2017.webp", "UTKFace/61_1_4_2017.webp", "SCUT-FBP5500/Images/AF3.webp", "LFW/A_B/A_B_0001.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "FairFace" / "train").mkdir(parents=True)
    for name in ("7.webp", "9.webp"):
        (tmp_path / "FairFace" / "train" / name).write_bytes(b"")
    (tmp_path / "FairFace" / "fairface_label_train.csv").write_text(
        "file,age,gender,race\ntrain/7.webp,60-69,Male,Black\ntrain/8.webp,0-2,Female,White\ntrain/9.webp,more than 70,Female,East Asian\n"
    )
    found = {p.path.name: p for p in photos(tmp_path)}
    assert set(found) == {"25_0_1_2017.webp", "61_1_4_2017.webp", "AF3.webp", "A_B_0001.webp", "7.webp", "9.webp"}
    assert (found["25_0_1_2017.webp"].age, found["25_0_1_2017.webp"].gender) == (25.0, 1.0)
    assert found["25_0_1_2017.webp"].ancestry == (1.0, 0.0, 0.0)
    assert np.isnan(found["61_1_4_2017.webp"].ancestry).all()
    assert (found["7.webp"].age, found["7.webp"].gender, found["7.webp"].ancestry) == (65.0, 1.0, (1.0, 0.0, 0.0))
    assert (found["9.webp"].age, found["9.webp"].gender, found["9.webp"].ancestry) == (76.0, 0.0, (0.0, 1.0, 0.0))
    assert found["AF3.webp"].gender == 0.0 and found["AF3.webp"].ancestry == (0.0, 1.0, 0.0)
    assert {p.pack for p in found.values()} <= set(FRAMINGS)
