"""The detector's network sees at every size alike, and what it sees comes back to the photo's pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from facerecon.checkpoints import CheckpointError
from facerecon.faces.align import warp
from facerecon.faces.center import CenterDetector
from facerecon.faces.center_network import CenterConfig, CenterNetwork, cell_centers, decode, patches_of, suppress
from facerecon.faces.center_pictures import Source, letterbox, resized
from facerecon.faces.mtcnn import suppress as suppress_numpy
from facerecon.faces.views import Candidates
from facerecon.types import FaceReconError
from tests.fakes import make_face

TINY = CenterConfig(32, (32, 32, 32, 32), (1, 1, 1, 1), 32)
FIVE = np.array([[-0.2, -0.15], [0.2, -0.15], [0.0, 0.05], [-0.15, 0.25], [0.15, 0.25]])


class RedSquares(nn.Module):
    """Takes the network's place: a red square is a face, seen by the cells that hold its centre."""

    def __init__(self):
        super().__init__()
        self.predict = nn.Linear(1, 1)
        self.pictures = []

    def forward(self, patches):
        batch, _, h, w = patches.shape
        images = (patches.float() + 1) * 128
        images = images.reshape(batch, 4, 4, 3, h, w).permute(0, 4, 1, 5, 2, 3).reshape(batch, 4 * h, 4 * w, 3)
        self.pictures += [tuple(image.shape) for image in images]
        centers, strides = cell_centers(4 * h, 4 * w)
        cells = torch.zeros(batch, len(centers), 15)
        cells[..., 0] = -20
        for image, out in zip(images, cells):
            y, x = torch.nonzero((image[..., 0] > 200) & (image[..., 1] < 60), as_tuple=True)
            if len(x) == 0:
                continue
            size = float(np.sqrt(len(x)))
            middle = torch.tensor([float(x.float().mean()), float(y.float().mean())])
            near = ((centers - middle).abs() < 0.8 * strides[:, None]).all(1) & (strides == 8)
            out[near, 0] = 4.0 if size > 16 else -1.0
            out[near, 1:3] = (middle - centers[near]) / 8
            out[near, 3:5] = float(np.log(size / 8))
            points = middle + torch.tensor(FIVE * size, dtype=torch.float32)
            out[near, 5:] = ((points - centers[near][:, None]) / 8).flatten(1)
        return cells


def doubting(cells, logit):
    cells[..., 0] = torch.where(cells[..., 0] > 0, logit, cells[..., 0])
    return cells


def photo(height, width, x, y, side):
    image = np.full((height, width, 3), 100, np.uint8)
    image[y : y + side, x : x + side] = (250, 10, 10)
    return image


@pytest.fixture
def detector():
    return CenterDetector(RedSquares(), min_face=10, dtype=torch.float32)


@pytest.mark.parametrize("shape, place", [((480, 640), (300, 200, 60)), ((900, 700), (100, 500, 130)), ((100, 90), (30, 30, 20))])
def test_a_face_comes_back_in_the_photos_own_pixels(detector, shape, place):
    x, y, side = place
    (face,) = detector.detect(photo(*shape, x, y, side))
    assert np.abs(face.box - (x - 0.5, y - 0.5, x + side - 0.5, y + side - 0.5)).max() < 0.04 * side
    truth = np.array([x, y]) + (side - 1) / 2 + FIVE * side
    assert np.abs(face.points - truth).max() < 0.04 * side and face.score > 0.97


def test_photos_of_different_sizes_go_together(detector):
    photos = [photo(480, 640, 300, 200, 60), photo(300, 200, 50, 90, 80), photo(480, 640, 10, 20, 40), photo(64, 700, 600, 10, 40)]
    alone = [detector.detect(p) for p in photos]
    together = detector.detect_all(photos)
    assert [len(f) for f in together] == [1, 1, 1, 1]
    for a, b in zip(alone, together):
        assert np.allclose(a[0].box, b[0].box, atol=1e-3) and np.allclose(a[0].points, b[0].points, atol=1e-3)


def large_looks(detector):
    return [shape[:2] for shape in detector.network.pictures if max(shape) > 128]


def test_small_faces_get_a_closer_look_and_only_they():
    detector = CenterDetector(RedSquares(), min_face=20, dtype=torch.float32)
    for x, y in ((300, 200), (0, 3), (617, 457)):
        detector.network.pictures.clear()
        (face,) = detector.detect(photo(480, 640, x, y, 22))
        assert face.score > 0.97 and abs(face.size - 22) < 1.5
        assert np.abs((face.box[:2] + face.box[2:]) / 2 - (x + 10.5, y + 10.5)).max() < 1.0
        first, closer = large_looks(detector)
        assert first == (384, 480) and max(closer) <= 256, "only what lies round it is enlarged"
    detector.network.pictures.clear()
    detector.detect(photo(480, 640, 300, 200, 60))
    assert large_looks(detector) == [(384, 480)]


def test_who_asks_for_tiny_faces_gets_the_closer_look(detector):
    (face,) = detector.detect(photo(480, 640, 300, 200, 14))
    assert face.score > 0.97 and abs(face.size - 14) < 1.5
    detector.network.pictures.clear()
    detector.detect(photo(480, 640, 300, 200, 60))
    assert large_looks(detector) == [(384, 480), (960, 1280)]


def test_later_looks_must_be_surer(detector):
    """At the first look a face of 0.88 passes; where only a margin shows it, it does not."""
    found = [Candidates(np.array([[200.0, 200, 260, 260]]), (230 + 60 * FIVE)[None], np.array([0.88]))]
    nothing = Candidates(np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0))
    image = np.full((480, 640, 3), 100, np.uint8)
    detector.look = lambda views, smallest: found if views[0].shape == image.shape else [nothing]
    assert [round(face.score, 2) for face in detector.detect(image)] == [0.88]
    detector.look = lambda views, smallest: [nothing] if views[0].shape == image.shape else found
    assert detector.detect(image) == []


@pytest.mark.parametrize("says, side, score", [(4.0, 40, 0.982), (-5.0, 40, 0.039), (4.0, 60, 0.982), (-5.0, 60, 0.119)])
def test_a_candidate_must_stand_a_second_look(detector, says, side, score):
    """A small one at two sizes, a large one at one."""
    network = detector.network
    detector.network = lambda patches: doubting(network(patches), says) if patches.shape[-1] <= 32 else network(patches)
    (found,) = detector.look([photo(480, 640, 300, 200, side)], [10.0])
    assert found.scores.max() == pytest.approx(score, abs=0.01)


def test_a_photo_without_a_hint_is_not_turned(detector):
    assert detector.detect(np.full((480, 640, 3), 100, np.uint8)) == []
    assert len(detector.network.pictures) == 4  # as it is, and with a margin, each with a closer look


def test_large_photos_are_looked_at_small(detector):
    assert len(detector.detect(photo(2000, 3000, 900, 700, 400))) == 1
    assert max(detector.network.pictures[0]) <= 640 and max(map(max, detector.network.pictures)) <= 1280


def lively_network():
    """Random weights with which what comes in reaches what comes out."""
    torch.manual_seed(0)
    network = CenterNetwork(TINY).eval()
    for parameter in network.parameters():
        nn.init.zeros_(parameter) if parameter.ndim == 1 else nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return network


def alike(first, second):
    """But for what the border of the picture does to the coarsest cells."""
    return torch.corrcoef(torch.stack((first.flatten(), second.flatten())))[0, 1] > 0.999 and torch.allclose(first, second, atol=0.1 * float(first.std()))


def test_the_same_network_sees_a_shifted_photo_shifted():
    network = lively_network()
    image = np.random.default_rng(0).integers(0, 256, (1, 128, 128, 3), dtype=np.uint8)
    canvas = np.full((1, 512, 512, 3), 128, np.uint8)
    shifted = canvas.copy()
    canvas[:, 192:320, 192:320], shifted[:, 192:320, 256:384] = image, image
    with torch.inference_mode():
        a, b = (network(patches_of(torch.from_numpy(c)))[0, :4096].unflatten(0, (64, 64)) for c in (canvas, shifted))
    assert a.std() > 0.01 and alike(a[20:44, 20:44], b[20:44, 28:52])


def test_a_picture_need_not_be_a_multiple_of_the_coarsest_stride():
    """Grey up to the next multiple of 64 or nothing: away from the border a face is seen alike, in cells of the same places."""
    network = lively_network()
    image = np.full((1, 320, 384, 3), 128, np.uint8)
    image[:, 40:104, 70:150] = np.random.default_rng(0).integers(0, 256, (1, 64, 80, 3), dtype=np.uint8)
    with torch.inference_mode():
        whole, part = (network(patches_of(torch.from_numpy(np.ascontiguousarray(i)))) for i in (image, image[:, :296, :328]))
    centers, strides = cell_centers(296, 328)
    assert part.shape == (1, len(centers), 15) and len(centers) == 37 * 41 + 19 * 21 + 10 * 11 + 5 * 6
    kept = {(float(s), *c.tolist()): k for k, (c, s) in enumerate(zip(*cell_centers(320, 384)))}
    same = [kept[float(s), *c.tolist()] for c, s in zip(centers, strides)]
    middle = (centers < torch.tensor([150.0, 110.0])).all(1)
    seen, expected = part[0, middle], whole[0, same][middle]
    assert expected.std() > 0.01 and alike(seen, expected)


def test_a_crop_out_of_the_smaller_picture_shows_the_same_place():
    y, x = np.mgrid[:240, :320]
    view = np.stack((255 * (x / 320), 255 * (y / 240), 128 + 60 * np.sin(x / 30) * np.cos(y / 30)), 2).round().astype(np.uint8)
    turned = np.array([[0.28, 0.1, -20.0], [-0.1, 0.28, 10.0]])
    source = Source(view, resized(view, 0.5), 0.5)
    assert np.abs(source.cut(turned, 64)[8:56, 8:56].astype(float) - warp(view, turned, 64)[8:56, 8:56]).mean() < 0.5
    blank = source._replace(picture=np.zeros_like(source.picture))
    assert source.cut(turned, 64).any() and not blank.cut(turned, 64).any(), "taken from the picture"
    assert np.array_equal(blank.cut(3 * turned, 64), source.cut(3 * turned, 64)), "too small in the picture: taken from the view"


def test_patches_are_a_pixel_unshuffle_in_another_order():
    image = torch.arange(2 * 8 * 12 * 3, dtype=torch.uint8).reshape(2, 8, 12, 3)
    patches = (patches_of(image) + 1) * 128
    assert patches.shape == (2, 48, 2, 3)
    assert torch.equal(patches[1, :, 1, 2], image[1, 4:8, 8:12].reshape(48).float())


def test_cells_decode_to_pixels():
    centers, strides = cell_centers(64, 128)
    assert len(centers) == 8 * 16 + 4 * 8 + 2 * 4 + 2 and centers[0].tolist() == [3.5, 3.5] and centers[-1].tolist() == [95.5, 31.5]
    cells = torch.zeros(15)
    cells[1], cells[3], cells[5] = 0.5, float(np.log(2)), -1.0
    box, points = decode(cells, torch.tensor([11.5, 3.5]), torch.tensor(8.0))
    assert torch.allclose(box, torch.tensor([7.5, -0.5, 23.5, 7.5])) and torch.allclose(points[0], torch.tensor([3.5, 3.5]))


def test_suppression_agrees_with_its_numpy_twin():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 60, (80, 2))
    boxes, scores = np.concatenate((corner, corner + rng.uniform(5, 40, (80, 2))), 1), rng.uniform(size=80)
    for of_smaller in (False, True):
        kept = suppress(torch.from_numpy(boxes), torch.from_numpy(scores), 0.4, of_smaller)
        assert kept.tolist() == suppress_numpy(boxes, scores, 0.4, of_smaller).tolist()
        assert kept.tolist()[:5] == suppress_numpy(boxes, scores, 0.4, of_smaller, most=5).tolist() and len(kept) > 5
    assert suppress(torch.zeros(0, 4), torch.zeros(0)).tolist() == []


def test_onnx_sees_what_torch_sees(tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from facerecon.faces.center_onnx import OnnxCenterDetector, export_onnx, largest_difference

    torch.manual_seed(0)
    network = CenterNetwork(TINY).eval()
    path = export_onnx(network, tmp_path / "detector.onnx")
    assert largest_difference(network, path) < 1e-3
    pictures = [np.random.default_rng(0).integers(0, 256, (100, 150, 3), dtype=np.uint8)] * 2
    torchs = CenterDetector(network, dtype=torch.float32).forward(pictures, 128, 192)
    assert torch.allclose(OnnxCenterDetector(path).forward(pictures, 128, 192), torchs, atol=1e-3)


def test_the_letterbox_leaves_the_picture_as_it_is():
    picture = photo(50, 70, 10, 10, 20)
    box = letterbox([picture, picture[:30]], 64, 128)
    assert np.array_equal(box[0, :50, :70], picture) and (box[1, 30:] == 128).all()


def test_a_missing_or_foreign_checkpoint_is_said(tmp_path):
    (tmp_path / "detector.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="detector"):
        CenterDetector.from_pretrained(path=tmp_path)
    with pytest.raises(FaceReconError, match="2"):
        CenterDetector(RedSquares(), min_face=2)


def test_landmarks_raise_and_lower_the_score_of_a_large_face_most(detector):
    large, small = make_face(20, 20, 120, score=0.8), make_face(20, 20, 15, score=0.8)
    good, bad = (tuple(detector.joint_score(face, error) for face in (large, small)) for error in (0.02, 0.3))
    assert good[0] > good[1] > bad[1] > bad[0]
    assert 0 < detector.joint_score(replace(large, score=0.0), 0.0) < detector.joint_score(replace(large, score=1.0), 0.0) < 1
