from __future__ import annotations

import numpy as np
import pytest
import torch

from facerecon.reconstruction.camera import crop_points, photo_camera, rotation_from_6d, turn_light, yaw_of
from facerecon.rendering import irradiance, project, to_camera


def turn(angle: float, axis: str) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return {
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def test_any_six_numbers_give_a_proper_rotation():
    rotation = rotation_from_6d(torch.randn(20, 6, generator=torch.Generator().manual_seed(0)))
    assert torch.allclose(rotation @ rotation.transpose(1, 2), torch.eye(3).expand(20, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(20), atol=1e-5)


@pytest.mark.parametrize("roll", [-0.6, 0.0, 0.9])
def test_yaw_does_not_depend_on_roll_or_pitch(roll):
    rotation = turn(roll, "z") @ turn(0.3, "x") @ turn(0.7, "y")
    assert float(yaw_of(torch.from_numpy(rotation)[None])) == pytest.approx(0.7)


def photo_points(points, rotation, scale, center, distance, matrix, size, principal, focal=None):
    camera_turn, translation, focal = photo_camera(scale, center, distance, matrix, size, principal, focal)
    camera = to_camera(points, torch.from_numpy(camera_turn @ rotation)[None].float(), torch.from_numpy(translation)[None].float())
    return project(camera, torch.tensor([focal]).float(), torch.from_numpy(principal)[None].float())[0].numpy(), translation, focal


def crop_to_photo(points, rotation, scale, center, distance, matrix, size):
    rows = (torch.from_numpy(np.asarray(v))[None].float() for v in (rotation, scale, center, 1 / distance))
    crop = (crop_points(points, *rows)[0].numpy() + 0.5) * size - 0.5
    linear = np.linalg.inv(matrix[:, :2])
    return (crop - matrix[:, 2]) @ linear.T


def test_a_head_in_the_middle_of_the_photo_lands_where_the_crop_saw_it():
    points = torch.randn(1, 50, 3, generator=torch.Generator().manual_seed(1)) * 0.07
    rotation, size = turn(0.5, "y") @ turn(-0.2, "x"), 128
    angle, zoom = 0.4, 0.5  # the photo's face is rolled, and twice as large as in the crop
    linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    center, principal = np.array([0.03, -0.05]), np.array([400.0, 300.0])
    seen = (center + 0.5) * size - 0.5
    matrix = np.concatenate((linear, (seen - linear @ principal)[:, None]), axis=1)
    found, translation, focal = photo_points(points, rotation, 3.0, center, 0.6, matrix, size, principal)
    assert np.allclose(found, crop_to_photo(points, rotation, 3.0, center, 0.6, matrix, size), atol=0.05)
    assert translation == pytest.approx([0, 0, -0.6])
    assert focal == pytest.approx(3.0 * size / zoom * 0.6)


def test_a_head_at_the_side_of_the_photo_stays_near_and_a_known_focal_length_sets_the_distance():
    points = torch.randn(1, 50, 3, generator=torch.Generator().manual_seed(2)) * 0.07
    matrix, center = np.array([[1.0, 0, -600], [0, 1.0, -100]]), np.array([0.0, 0.0])
    principal = np.array([400.0, 300.0])
    expected = crop_to_photo(points, np.eye(3), 3.0, center, 1.0, matrix, 128)
    found, translation, focal = photo_points(points, np.eye(3), 3.0, center, 1.0, matrix, 128, principal, 1200.0)
    assert focal == 1200.0
    assert -translation[2] == pytest.approx(1200.0 / (3.0 * 128))
    assert np.abs(found - expected).mean() < 0.03 * 128  # a twentieth of a face


def test_light_turns_with_the_camera():
    light, rotation = np.random.default_rng(0).normal(size=(9, 3)) * 0.2, turn(0.5, "x") @ turn(0.9, "y")
    light[0] = 4.0
    normals = torch.nn.functional.normalize(torch.randn(1, 30, 3, generator=torch.Generator().manual_seed(3)).double(), dim=-1)
    turned = normals @ torch.from_numpy(rotation).T
    before = irradiance(normals, torch.from_numpy(light)[None])
    after = irradiance(turned, torch.from_numpy(turn_light(light, rotation))[None])
    assert torch.allclose(before, after, atol=1e-6)
