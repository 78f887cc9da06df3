from __future__ import annotations

import torch

from facerecon.rendering import pixel_vertices, project, scale_pixels, to_camera


def test_a_point_up_and_right_lands_up_and_right_of_the_principal_point():
    point = torch.tensor([[[0.1, 0.2, -2.0]]])
    pixels = project(point, torch.tensor([500.0]), torch.tensor([[320.0, 240.0]]))
    torch.testing.assert_close(pixels, torch.tensor([[[345.0, 190.0]]]))


def test_depth_is_metres_in_front_of_the_lens_and_stays_negative_behind_it():
    points = torch.tensor([[[0.0, 0.0, -2.0], [0.1, 0.0, 1.0]]])
    vertices = pixel_vertices(points, torch.tensor([500.0]), torch.tensor([[0.0, 0.0]]))
    assert vertices[0, :, 2].tolist() == [2.0, -1.0]
    assert vertices.isfinite().all()


def test_to_camera_turns_then_moves():
    turn = torch.tensor([[[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]])  # the nose turns to +x
    moved = to_camera(torch.tensor([[[0.0, 0.0, 0.1]]]), turn, torch.tensor([[0.0, 0.0, -1.0]]))
    torch.testing.assert_close(moved, torch.tensor([[[0.1, 0.0, -1.0]]]))


def test_scaling_keeps_the_corner_of_the_picture():
    corner = torch.tensor([[-0.5, -0.5, 3.0], [9.5, 4.5, 3.0]])  # outer corners of a 10 x 5 picture
    torch.testing.assert_close(scale_pixels(corner, 2.0), torch.tensor([[-0.5, -0.5, 3.0], [19.5, 9.5, 3.0]]))
