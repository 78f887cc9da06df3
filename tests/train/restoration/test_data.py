"""Where crops are cut for training, and what finds the points for it."""

import cv2
import numpy as np
import pytest

from facerecon.faces.align import template_points
from facerecon.restoration.photo import SURROUNDINGS
from facerecon.types import Face
from train.restoration import data
from train.restoration.data import FFHQ_FRAMING, CleanFaces, PairKinds, sample_pair
from train.restoration.points import find_points

FIVE = np.array([[70.0, 60.0], [110, 74], [85, 90], [66, 104], [98, 116]])  # turned by about 20 degrees
DOTS = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (250, 250, 10), (10, 250, 250)]


class Finder:
    """Takes the detector's place: a stranger at the border, and the face in the middle of pictures that are not black."""

    def __init__(self):
        self.seen = 0

    def detect(self, image):
        self.seen += 1
        faces = [Face(np.float32([0, 0, 20, 20]), np.float32(FIVE) * 0.1, 0.99)]
        return faces + ([Face(np.float32([50, 40, 130, 130]), np.float32(FIVE), 0.9)] if image.any() else [])


@pytest.fixture
def folder(tmp_path):
    """A photo with a dot of its own colour at each of the five points, and a black one."""
    root = tmp_path / "faces"
    root.mkdir()
    photo = np.full((180, 180, 3), 90, np.uint8)
    for point, colour in zip(FIVE, DOTS):
        cv2.circle(photo, tuple(int(v) for v in point), 4, colour, -1)
    cv2.imwrite(str(root / "a.png"), photo[..., ::-1])
    cv2.imwrite(str(root / "b.png"), np.zeros((180, 180, 3), np.uint8))
    return root


def dots_in(crop):
    """(5, 2) where the dots are."""
    places = [np.argwhere(np.abs(crop.astype(int) - colour).sum(2) < 120).mean(0)[::-1] for colour in DOTS]
    return np.array(places)


def test_points_are_those_of_the_face_in_the_middle_and_are_found_once(folder, tmp_path):
    output, finder = tmp_path / "points.npz", Finder()
    assert find_points(folder, output, finder) == {FFHQ_FRAMING.name: 0.5}
    found = np.load(output)[FFHQ_FRAMING.name]
    assert np.allclose(found[0], FIVE) and np.isnan(found[1]).all()
    find_points(folder, output, finder)
    assert finder.seen == 2


@pytest.mark.parametrize("around", [0.0, 1.0])
def test_crops_are_cut_as_in_use_where_points_are_known(folder, tmp_path, monkeypatch, around):
    """The dots come to lie upright on the template or, with the surroundings, on the smaller one, mirrored half of the time."""
    monkeypatch.setattr(data, "DETECTOR_ERROR", 0.0)
    find_points(folder, tmp_path / "points.npz", Finder())
    faces = CleanFaces(folder, 128, points=tmp_path / "points.npz")
    kinds = PairKinds({"clean": 1.0}, (1.0, 1.0), 0.0, grainy=0.0, scratched=0.0, around=around)
    middle, template = 63.5, template_points(128, "restoration")
    wanted = middle + (template - middle) / (SURROUNDINGS if around else 1.0)
    mirrored, seen = wanted.copy(), []
    mirrored[:, 0] = 127 - mirrored[:, 0]
    for seed in range(60):
        clean, degraded = sample_pair(faces, 0, np.random.default_rng(seed), None, kinds)
        if len(np.unique(clean.reshape(-1, 3), axis=0)) < 50 or np.ptp(clean.astype(int), axis=2).max() < 150:
            continue  # monochrome or an old print
        dots = dots_in(clean)
        off = [np.linalg.norm(dots - goal, axis=1).mean() for goal in (wanted, mirrored)]
        assert min(off) < 8  # the five points are no template's own: the best fit leaves some
        seen.append(int(np.argmin(off)))
    assert len(seen) > 30 and 0.2 < np.mean(seen) < 0.8


def test_where_no_face_was_found_the_packs_framing_counts(folder, tmp_path):
    find_points(folder, tmp_path / "points.npz", Finder())
    known, unknown = CleanFaces(folder, 64, points=tmp_path / "points.npz"), CleanFaces(folder, 64)
    one, other = (pool.crop(1, np.random.default_rng(5), 70) for pool in (known, unknown))
    assert np.array_equal(one, other)


@pytest.mark.parametrize("harm", ["grainy", "scratched"])
def test_grain_and_scratches_come_as_often_as_asked(folder, harm):
    faces, off = CleanFaces(folder, 64), []
    for share in (0.0, 1.0):
        kinds = PairKinds({"clean": 1.0}, (1.0, 1.0), 0.0, **{"grainy": 0.0, "scratched": 0.0, harm: share})
        pairs = [sample_pair(faces, 1, np.random.default_rng(seed), None, kinds) for seed in range(8)]  # of a black photo
        off.append(np.mean([np.abs(degraded.astype(float) - clean).mean() for clean, degraded in pairs]))
    assert off[1] > 1.5 * off[0]
