from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from facerecon.checkpoints import CheckpointError
from facerecon.quantization import compress
from facerecon.faces.align import points_from_landmarks, template_points, transform_points
from facerecon.faces.landmark_network import Found, LandmarkerConfig, LandmarkerNetwork
from facerecon.faces.landmarker import TEMPLATE, FaceLandmarker, Landmarks
from facerecon.types import Face, FaceReconError

TINY = LandmarkerConfig(image_size=32, channels=(32, 32, 32), blocks=(1, 1, 1, 1), reduced=8, features=16)
SIZE = 64


def template_landmarks(size: int) -> np.ndarray:
    """68 points whose five alignment points lie on the template; symmetric."""
    five = template_points(size, TEMPLATE)
    five[:, 0] = (five[:, 0] + (size - 1 - five[[1, 0, 2, 4, 3], 0])) / 2
    five[:, 1] = (five[:, 1] + five[[1, 0, 2, 4, 3], 1]) / 2
    points = np.tile(five[2], (68, 1))
    points[36:42], points[42:48], points[48], points[54] = five[0], five[1], five[3], five[4]
    points[8, 1] += 0.3 * size
    points[0, 0], points[16, 0] = five[0, 0] - 5, five[1, 0] + 5
    return points


class SpotFinder(nn.Module):
    """A one-spot world's landmarker: a face stands wherever the bright spot is, and is sure when there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.config = LandmarkerConfig(image_size=SIZE)
        self.register_buffer("grid", torch.zeros(2, 1))

    def forward(self, crops):
        light = (crops.float().mean(1) - 0.5).clamp_min(0)
        total, axis = light.sum((1, 2)).clamp_min(1e-6), torch.arange(float(SIZE))
        spot = torch.stack(((light.sum(1) * axis).sum(1) / total, (light.sum(2) * axis).sum(1) / total), 1)
        points = torch.from_numpy(template_landmarks(SIZE)).float()
        points = (points - points[30] + spot[:, None] + 0.5) / SIZE - 0.5
        sure = torch.where(total > 1, -6.0, -1.0)[:, None].expand(-1, 68)
        return Found(points, sure, points, points)


@pytest.fixture
def landmarker() -> FaceLandmarker:
    return FaceLandmarker(SpotFinder(), dtype=torch.float32)


def photo(x: int = 123, y: int = 113) -> np.ndarray:
    image = np.zeros((200, 240, 3), np.uint8)
    image[y - 2 : y + 3, x - 2 : x + 3] = 255
    return image


PLACES = {
    "face": Face(np.array([90, 80, 150, 160], np.float32), template_points(90, TEMPLATE).astype(np.float32) + (72, 55)),
    "points": template_points(90, TEMPLATE) + (72, 55),
    "box": np.array([90.0, 70.0, 150.0, 160.0]),
    "landmarks": template_landmarks(90) + (72, 55),
}


@pytest.mark.parametrize("place", PLACES)
def test_landmarks_are_in_the_photos_pixels_wherever_the_crop_was_cut(landmarker, place):
    found = landmarker.predict(photo(), [PLACES[place]])
    assert found.points.shape == (1, 68, 2) and found.spread.shape == (1, 68)
    assert np.abs(found.points[0, 30] - (123, 113)).max() < 1.5


def test_turned_faces_are_cut_upright(landmarker):
    turn = np.array([[0.0, -1.0, 240.0], [1.0, 0.0, -20.0]])  # a quarter turn
    found = landmarker.predict(photo(), [transform_points(PLACES["points"], turn)])
    eyes = points_from_landmarks(found.points[0])[:2]
    assert abs(eyes[0, 1] - eyes[1, 1]) > 5 * abs(eyes[0, 0] - eyes[1, 0])


def test_a_photo_for_each_face_or_one_for_all(landmarker):
    places = [PLACES["points"], PLACES["points"] + 20]
    one = landmarker.predict(photo(), places)
    several = landmarker.predict([photo(), photo()], places)
    assert np.allclose(one.points, several.points)
    assert landmarker.predict(photo(), []).points.shape == (0, 68, 2)
    with pytest.raises(FaceReconError, match="1 photos for 2 faces"):
        landmarker.predict([photo()], places)


def test_a_place_of_another_shape_is_told(landmarker):
    with pytest.raises(FaceReconError, match="7, 2"):
        landmarker.predict(photo(), [np.zeros((7, 2))])


def test_refining_moves_points_where_the_network_is_sure_and_nowhere_else(landmarker):
    face = PLACES["face"]
    far = replace(face, points=face.points + (0, 12))
    (moved,) = landmarker.refine(photo(), [far])
    assert np.abs(moved.points[2] - (123, 113)).max() < 1.5
    assert (moved.box == far.box).all() and moved.score == far.score
    (kept,) = landmarker.refine(np.zeros((200, 240, 3), np.uint8), [face])
    assert (kept.points == face.points).all()
    assert landmarker.refine(photo(), []) == []


def test_scores_may_hear_what_the_landmarks_expect_to_be_off(landmarker):
    dark, face = np.zeros((200, 240, 3), np.uint8), replace(PLACES["face"], score=0.7)

    def joint(seen, error):
        assert seen.score == 0.7
        return error

    (lost,), (sure,) = landmarker.refine(dark, [face], joint), landmarker.refine(photo(), [face], joint)
    assert lost.score > 3 * sure.score > 0
    assert lost.landmarks is None and sure.landmarks is not None


def test_where_detector_and_landmarks_agree_a_mean_is_taken_in_which_landmarks_count_more(landmarker):
    face = PLACES["face"]
    true = points_from_landmarks(landmarker.predict(photo(), [face]).points[0])
    (moved,) = landmarker.refine(photo(), [replace(face, points=(true + 2).astype(np.float32))])
    assert np.abs(moved.points - true - 0.5).max() < 0.25


def test_confidence_falls_with_the_expected_error(landmarker):
    sure = landmarker.predict(photo(), [PLACES["points"]])
    lost = landmarker.predict(np.zeros_like(photo()), [PLACES["points"]])
    assert sure.confidence[0] > 0.9 and lost.confidence[0] < 0.1
    assert (lost.spread > sure.spread).all()


def test_votes_place_points_on_the_grid_and_outside_the_crop():
    network = LandmarkerNetwork(TINY).eval()
    nn.init.zeros_(network.votes.weight)
    nn.init.constant_(network.mixture, -30.0)  # votes alone
    with torch.no_grad():
        network.votes.bias[68:136] = 0.75  # a vote of three quarters of the crop to the right, from everywhere
        found = network(torch.rand(2, 3, 32, 32))
    assert torch.allclose(found.landmarks[..., 0], torch.tensor(0.75), atol=1e-4)
    assert torch.allclose(found.landmarks[..., 1], torch.tensor(0.0), atol=1e-4)


def test_a_stored_network_says_the_same(tmp_path):
    import json
    from dataclasses import asdict

    from safetensors.torch import save_file

    torch.manual_seed(0)
    network = LandmarkerNetwork(TINY)
    path = tmp_path / "landmarker.safetensors"
    save_file(compress(network.state_dict()), path, metadata={"config": json.dumps(asdict(TINY))})
    loaded = FaceLandmarker.from_pretrained("cpu", tmp_path)
    loaded = FaceLandmarker(loaded.network.float(), dtype=torch.float32)
    image, place = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8), np.array([20.0, 20, 60, 60])
    before = FaceLandmarker(network, dtype=torch.float32).predict(image, [place], looks=1)
    after = loaded.predict(image, [place], looks=1)
    assert isinstance(after, Landmarks)
    assert np.abs(before.points - after.points).max() < 0.5
    with pytest.raises(CheckpointError):
        FaceLandmarker.from_pretrained("cpu", tmp_path / "none.safetensors")
