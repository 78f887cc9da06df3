"""Scenes say truly where their faces are, and each cell answers for the right one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from facerecon.faces.center_network import cell_centers, decode
from train.detector.assign import assign
from train.detector.boxes import face_box, five_points
from train.detector.config import CONFIGS
from train.detector.data import SceneBatches, collate, enlarged, mirrored
from train.detector.losses import detection_losses, distance_iou_loss
from train.detector.paste import paste_picture, placement, rectangle_weight
from train.detector.scenes import Composer, Scene
from train.detector.sources import Backgrounds, FaceMixture
from train.landmarks.turned import HALF_PROFILE, PROFILE, frontality


def landmarks_68(center=(48.0, 50.0), size=40.0):
    """A face as iBUG's 68 points have it, roughly: jaw, brows, nose, eyes, mouth."""
    jaw = [(-0.5 * np.cos(a), 0.55 * np.sin(a) - 0.05) for a in np.linspace(0, np.pi, 17)]
    brows = [(x, -0.25) for x in np.linspace(-0.4, -0.1, 5)] + [(x, -0.25) for x in np.linspace(0.1, 0.4, 5)]
    nose = [(0, y) for y in np.linspace(-0.15, 0.1, 4)] + [(x, 0.13) for x in np.linspace(-0.1, 0.1, 5)]
    eyes = [(s * 0.22 + 0.06 * np.cos(a), -0.13 + 0.03 * np.sin(a)) for s in (-1, 1) for a in np.linspace(np.pi, -np.pi, 6, endpoint=False)]
    mouth = [(-0.18 * np.cos(a), 0.3 + 0.06 * np.sin(-a)) for a in np.linspace(0, 2 * np.pi, 12, endpoint=False)]
    inner = [(-0.1 * np.cos(a), 0.3 + 0.02 * np.sin(-a)) for a in np.linspace(0, 2 * np.pi, 8, endpoint=False)]
    return (np.array(jaw + brows + nose + eyes + mouth + inner) * size + center).astype(np.float32)


class OneFace:
    """A grey picture whose five points are marked in five colours."""

    whole = True
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255]], np.uint8)

    def __init__(self):
        self.landmarks = landmarks_68()[None]
        self.picture = np.full((100, 96, 3), 90, np.uint8)
        for point, colour in zip(five_points(self.landmarks[0]), self.colours):
            cv2.circle(self.picture, tuple(point.round().astype(int).tolist()), 3, colour.tolist(), -1)

    def __len__(self):
        return len(self.landmarks)

    def image(self, i):
        return self.picture


@pytest.fixture(scope="module")
def composer():
    return Composer(FaceMixture([OneFace()], [1.0]), Backgrounds([]), 128)


def test_the_box_holds_all_landmarks_and_the_forehead():
    points = landmarks_68()
    box = face_box(points)
    assert (points >= box[:2] - 1e-3).all() and (points <= box[2:] + 1e-3).all()
    assert box[1] < points[17:27, 1].min() - 0.1 * (box[3] - box[1])


@pytest.mark.parametrize("angle, mirror", [(0, False), (40, False), (-30, True), (180, False)])
def test_a_pasted_face_lies_where_its_matrix_says(angle, mirror):
    source, scene = OneFace(), np.zeros((200, 200, 3), np.uint8)
    matrix = placement(source.landmarks[0], 80.0, np.array([100.0, 90.0]), angle, mirror)
    paste_picture(scene, source.picture, rectangle_weight(source.picture.shape, np.zeros(2), np.array([96, 100])), matrix)
    placed = five_points(source.landmarks[0] @ matrix[:, :2].T + matrix[:, 2])
    for point, colour in zip(placed, OneFace.colours):
        x, y = point.round().astype(int)
        assert np.abs(scene[y, x].astype(int) - colour).max() < 60


def test_what_is_hidden_or_cut_off_does_not_count():
    scene = Scene(np.zeros((100, 100, 3), np.uint8))
    scene.add(landmarks_68((30, 50), 30))
    assert scene.ignored == [False]
    scene.add(landmarks_68((34, 50), 40))
    assert scene.ignored == [True, False]
    scene.add(landmarks_68((106, 50), 40))
    assert scene.ignored[-1] and len(scene.boxes) == 3
    scene.add(landmarks_68((300, 50), 40))
    assert len(scene.boxes) == 3  # out of sight


def test_the_mirror_exchanges_left_and_right():
    scene = Scene(np.zeros((100, 120, 3), np.uint8))
    scene.add(landmarks_68((30, 50), 30))
    other = mirrored(scene)
    assert other.points[0][0, 0] < other.points[0][1, 0] and other.points[0][3, 0] < other.points[0][4, 0]
    again = mirrored(other)
    assert np.allclose(again.boxes[0], scene.boxes[0]) and np.allclose(again.points[0], scene.points[0])


def test_a_closer_look_keeps_faces_in_their_places(composer):
    scene = composer.scene(np.random.default_rng(3), 64)
    scene.add(landmarks_68((30, 30), 20))
    closer = enlarged(scene, 160)
    assert scene.image.shape == (64, 64, 3) and closer.image.shape == (160, 160, 3) and closer.ignored == scene.ignored
    box, large = scene.boxes[-1], closer.boxes[-1]
    assert np.allclose((large[2:] - large[:2]) / (box[2:] - box[:2]), 2.5) and np.allclose((large + 0.5) / (box + 0.5), 2.5, atol=1e-4)


def test_heads_turned_aside_are_drawn_more_often():
    source = OneFace()
    aside = source.landmarks.copy()
    aside[:, 27:36, 0] -= 15  # the nose, to the jaw's side
    source.landmarks = np.concatenate((source.landmarks, aside))
    faces, rng = FaceMixture([source], [1.0]), np.random.default_rng(0)
    drawn = [float(frontality(faces.draw(rng)[1])) for _ in range(400)]
    assert frontality(source.landmarks[0]) > HALF_PROFILE > PROFILE > frontality(aside[0])
    assert 0.65 < np.mean(np.array(drawn) < PROFILE) < 0.85  # three of four


def test_cells_lie_in_their_faces_and_every_face_has_one():
    scene = Scene(np.zeros((256, 256, 3), np.uint8))
    for center, size in (((20, 20), 9), ((70, 40), 30), ((180, 60), 70), ((120, 190), 110)):
        scene.add(landmarks_68(center, size))
    cells, faces, silent = assign(scene)
    centers, strides = cell_centers(256, 256)
    assert set(faces.tolist()) == {0, 1, 2, 3} and not silent.any()
    for cell, face in zip(cells, faces):
        box = scene.boxes[face]
        middle, reach = (box[:2] + box[2:]) / 2, 1.5 * float(strides[cell])
        assert (np.abs(centers[cell].numpy() - middle) <= reach + 1e-3).all()


def test_cells_of_ignored_faces_are_silent():
    scene = Scene(np.zeros((128, 128, 3), np.uint8))
    scene.add(landmarks_68((60, 60), 40))
    scene.ignored[0] = True
    cells, _, silent = assign(scene)
    assert len(cells) == 0 and silent.any() and not silent.all()


def test_a_perfect_answer_costs_nothing(composer):
    rng = np.random.default_rng(1)
    scenes = [composer.scene(rng) for _ in range(6)]
    _, targets = collate(scenes)
    centers, strides = cell_centers(128, 128)
    seen = torch.zeros(6, len(centers), 15)
    seen[..., 0] = -30
    flat, cell = seen.view(-1, 15), targets.cells % len(centers)
    stride, boxes = strides[cell][:, None], targets.boxes
    flat[targets.cells, 0] = 30
    flat[targets.cells, 1:3] = ((boxes[:, :2] + boxes[:, 2:]) / 2 - centers[cell]) / stride
    flat[targets.cells, 3:5] = ((boxes[:, 2:] - boxes[:, :2]) / stride).log()
    flat[targets.cells, 5:] = ((targets.points - centers[cell][:, None]) / stride[..., None]).flatten(1)
    assert len(targets.cells) > 5
    for name, value in detection_losses(seen, targets, 128, 128).items():
        assert float(value) < 1e-4, name
    found, _ = decode(flat[targets.cells], centers[cell], strides[cell])
    assert torch.allclose(found, boxes, atol=1e-2)


def test_the_loss_of_boxes_grows_with_distance():
    truth = torch.tensor([[10.0, 10, 30, 30]] * 4)
    moved = truth + torch.tensor([0.0, 5, 15, 60])[:, None]
    loss = distance_iou_loss(moved, truth)
    assert float(loss[0]) < 1e-5 and (loss.diff() > 0).all()


def test_batches_depend_on_seed_and_step_alone(composer):
    config = CONFIGS["tiny"]
    one, two = (SceneBatches(Composer(composer.faces, composer.backgrounds, config.size), config, seed=3)[5] for _ in range(2))
    assert torch.equal(one[0], two[0]) and torch.equal(one[1].cells, two[1].cells)
    assert one[0].shape == (config.scenes * config.views, config.size, config.size, 3)
