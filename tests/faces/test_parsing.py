"""Masks of faces: whole, in their place, and able to lie on other crops."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from facerecon.checkpoints import WEIGHTS
from facerecon.faces import parsing
from facerecon.faces.align import similarity_from_points
from facerecon.faces.masks import CLASSES, FACE, FaceMasks
from facerecon.faces.parsing import FaceParser
from facerecon.faces.parsing_network import ParserConfig, ParserNetwork
from facerecon.types import FaceReconError
from tests.fakes import make_face, make_photo

TINY = ParserConfig(image_size=64, channels=(8, 8, 8, 8))


@pytest.fixture
def parser() -> FaceParser:
    torch.manual_seed(0)
    network = ParserNetwork(TINY)
    torch.nn.init.normal_(network.to_pixels.weight, std=0.3)
    return FaceParser(network, dtype=torch.float32)


def turned(points: np.ndarray, degrees: float, centre: tuple[float, float]) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D(centre, degrees, 1)
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32), matrix


def test_every_pixel_is_one_whole(parser: FaceParser) -> None:
    masks = parser.predict(make_photo(), [make_face(30, 20, 70), make_face(60, 30, 40)])
    assert len(masks) == 2 and masks[0].probabilities.shape == (len(CLASSES), 64, 64)
    assert np.allclose(masks[1].probabilities.sum(0), 1, atol=1e-4) and masks[1].probabilities.min() >= 0
    assert np.allclose(masks[0].of(*CLASSES), 1, atol=1e-4)


def test_masks_follow_a_turned_face(parser: FaceParser) -> None:
    photo, face = make_photo(240, 240), make_face(80, 80, 80)
    points, matrix = turned(face.points, 40, (120, 120))
    there = cv2.warpAffine(photo, matrix, (240, 240), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    straight, tilted = (parser.predict(p, [f])[0] for p, f in ((photo, face.points), (there, points)))
    middle = np.s_[:, 16:48, 16:48]
    assert np.abs(straight.probabilities - tilted.probabilities)[middle].mean() < 0.02
    shown = [m.on(("hair",), np.eye(2, 3), (240, 240)) for m in (straight, tilted)]
    moved = cv2.warpAffine(shown[0], matrix, (240, 240))
    assert np.abs(moved - shown[1])[90:150, 90:150].mean() < 0.03


def test_a_mask_lies_on_another_crop_where_it_lies_in_the_photo() -> None:
    face = make_face(40, 40, 100)
    matrix = similarity_from_points(face.points, 64, parsing.TEMPLATE)
    chances = np.zeros((len(CLASSES), 64, 64), np.float32)
    chances[0], chances[CLASSES.index("other"), 20:30, 40:50] = 1, 1
    chances[0, 20:30, 40:50] = 0
    masks = FaceMasks(chances, matrix)
    spot = np.linalg.inv(np.vstack((matrix, [0, 0, 1]))) @ (45, 25, 1)
    crop = similarity_from_points(face.points, 256, "restoration")
    x, y = (crop @ spot).round().astype(int)
    shown = masks.on(("other",), crop, 256)
    assert shown[y, x] > 0.95 and shown.mean() < 0.2
    assert masks.on(("skin",), np.eye(2, 3), (300, 200), beyond=1.0)[0, -1] == 1  # what was not seen is as asked


def test_places_are_shown_where_both_crop_and_photo_are() -> None:
    masks = FaceMasks(np.zeros((len(CLASSES), 64, 64), np.float32), np.array([[0.5, 0, 10], [0, 0.5, -5]]))
    # The photo's corners lie at (10, -5) and (59.5, 44.5).
    places = np.array([[[10.0, 0], [9.9, 0], [10, -0.1]], [[59.5, 44.5], [59.6, 44.5], [59.5, 44.6]]])
    assert masks.show(places, (100, 100)).tolist() == [[True, False, False], [True, False, False]]
    assert masks.show(np.array([[63.0, 63], [63.1, 63]]), (400, 400)).tolist() == [True, False]
    masks.probabilities[CLASSES.index("hair"), :, 30:] = 1
    assert masks.at("hair", np.array([[[29.5, 3], [31, 3], [99, 3]]])).tolist() == [[0.5, 1, 0]]


def test_lists_of_different_length_are_refused(parser: FaceParser) -> None:
    assert parser.predict(make_photo(), []) == []
    with pytest.raises(FaceReconError, match="1 photos for 2 faces"):
        parser.predict([make_photo()], [make_face(30, 20, 70)] * 2)


def test_without_weights_there_is_no_parser(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facerecon.checkpoints.WEIGHTS", tmp_path)
    monkeypatch.delenv("FACERECON_HUB_REPO", raising=False)
    assert FaceParser.shipped("cpu") is None


@pytest.mark.skipif(not (WEIGHTS / parsing.NAME).exists(), reason="no weights")
def test_the_shipped_parser_finds_the_face_of_a_rendered_head() -> None:
    from facerecon.head import HeadModel
    from tests.reconstruction.test_texture import PHOTO, person, photograph, turned
    from facerecon.faces.align import points_from_landmarks
    from facerecon.reconstruction.texture_atlas import atlas_of
    from facerecon.rendering import project, to_camera

    head, pose = HeadModel.from_pretrained(), turned(0)
    vertices = head.vertices()
    photo = photograph(head, vertices[0].numpy(), person(head, atlas_of(head, 512)), pose)
    tensors = [torch.from_numpy(np.asarray(v, np.float32))[None] for v in (pose.rotation, pose.translation_m, pose.principal_point)]
    points = to_camera(head.landmarks(vertices), tensors[0], tensors[1])
    landmarks = project(points, torch.tensor([pose.focal_px]), tensors[2])[0].numpy()
    masks = FaceParser.from_pretrained("cpu").predict(photo, [points_from_landmarks(landmarks)])[0]
    face = masks.on(FACE, np.eye(2, 3), (PHOTO, PHOTO))
    nose, cheek = landmarks[30].round().astype(int), (landmarks[[2, 31]].mean(0)).round().astype(int)
    assert face[nose[1], nose[0]] > 0.8 and face[cheek[1], cheek[0]] > 0.8
    assert masks.on(("background",), np.eye(2, 3), (PHOTO, PHOTO))[60, 20:80].mean() > 0.8
