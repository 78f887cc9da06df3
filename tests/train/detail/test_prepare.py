from __future__ import annotations

import numpy as np

from facerecon.images import save_image
from facerecon.reconstruction.detail_surface import GRID, SIZE, FaceWindow
from facerecon.types import Face
from tests.fakes import make_photo
from train.detail import evaluate, prepare
from train.detail.data import Unwrapped


def window(seed: int) -> FaceWindow:
    """A face of smooth colours, flat."""
    rng = np.random.default_rng(seed)
    shape = np.zeros((GRID, GRID, 9), np.float32)
    shape[..., 2], shape[..., 3], shape[..., 7] = 1, 1, -1
    lab = np.full((SIZE, SIZE, 3), (65, 10, -14), np.float32) + rng.normal(0, 1, 3).astype(np.float32)
    return FaceWindow(lab, np.ones((SIZE, SIZE), np.float32), shape, np.full((GRID, GRID, 2), 0.1, np.float32), np.arange(9, dtype=np.float32))


def test_photos_come_in_turn_by_age_and_size(tmp_path):
    for name, side in (("70_0_0_1", 200), ("71_0_0_2", 100), ("20_1_0_3", 200), ("35_1_0_4", 200)):
        save_image(tmp_path / "UTKFace" / f"{name}.png", make_photo(side, side))
    save_image(tmp_path / "studio" / "a.png", make_photo(64, 64))
    found = [(name, age) for name, age, _ in prepare.photos(tmp_path, {"studio": 5, "old": 5, "young": 5})]
    names = {name for name, _ in found}
    assert names == {"studio/a.png", "UTKFace/70_0_0_1.png", "UTKFace/20_1_0_3.png"} and dict(found)["UTKFace/20_1_0_3.png"] == 20


def test_a_window_is_packed_and_read_back(tmp_path):
    parts = [(*prepare.packed(window(seed)), window(seed).light) for seed in range(3)]
    lab, weight, maps, light = (np.stack(part) for part in zip(*parts))
    faces = Unwrapped(lab, weight, maps, {"light": light}).take(np.array([2]))
    assert abs(faces["lab"][0, :, 9, 9].numpy() - window(2).lab[9, 9]).max() < 0.6
    assert faces["weight"].min() == 1 and faces["maps"].shape == (1, 11, 64, 64)
    assert abs(faces["maps"][0, 9:] - 0.1).max() < 1e-3 and faces["light"][0].tolist() == list(range(9))


def test_smiling_and_neutral_photos_of_one_person_are_paired():
    names = ["studio_neutral_front_115_03", "studio_smiling_front_115_08", "studio_neutral_front_117_03", "portrait_x"]
    assert evaluate.pairs(names) == [(0, 1)]


def test_faces_are_boxed_by_their_points():
    points = np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]], float)
    face = prepare.boxed(points)
    assert isinstance(face, Face) and face.box.tolist() == [10, 10, 30, 30]
