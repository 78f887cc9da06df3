from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facerecon.checkpoints import CheckpointError
from facerecon.head import HeadModel
from facerecon.reconstruction.appearance import load_appearance
from facerecon.reconstruction.detail_surface import window_slices
from facerecon.reconstruction.skin_modes import SIDE, SkinModes, fit, load_skin_modes, personal, write
from facerecon.reconstruction.texture_atlas import atlas_of
from facerecon.reconstruction.texture_completion import accept
from facerecon.reconstruction.texture_projection import PhotoTexels
from facerecon.reconstruction.texture_tone import measure_tone

SIZE = 512


@pytest.fixture(scope="module")
def model() -> SkinModes:
    """One component: the upper half of the face darker, the lower half brighter."""
    modes = np.zeros((1, SIDE, SIDE, 3), np.float32)
    modes[0, : SIDE // 2, :, 0], modes[0, SIDE // 2 :, :, 0] = -3, 3
    return SkinModes(np.zeros((SIDE, SIDE, 3), np.float32), modes, np.ones((SIDE, SIDE), np.float32))


def test_what_is_seen_says_what_is_hidden(model):
    lab = np.full((SIDE, SIDE, 3), (60, 12, 16), np.float32) + 2 * model.modes[0]
    seen = np.zeros((SIDE, SIDE), bool)
    seen[:, :20] = True
    found = fit(model, lab, seen)
    assert np.abs(found - lab).max() < 6.5 and found[10, 50, 0] < found[50, 50, 0] - 6
    assert fit(model, lab, seen & False) is None


def test_model_is_stored_and_refused_where_it_is_another_file(model, tmp_path):
    write(tmp_path / "skin.safetensors", model)
    back = load_skin_modes(tmp_path / "skin.safetensors")
    assert np.abs(back.modes - model.modes).max() < 0.03 and np.array_equal(back.cover, model.cover)
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    with pytest.raises(CheckpointError, match="bad.safetensors"):
        load_skin_modes(tmp_path / "bad.safetensors")


def test_mean_skin_becomes_this_faces_inside_the_face_alone(model):
    head = HeadModel.from_pretrained()
    atlas, prior = atlas_of(head, SIZE), load_appearance(SIZE, len(head.uv))
    ones = np.ones((SIZE, SIZE), np.float32)
    lab = prior.lab.copy()
    rows, columns = window_slices(SIZE)
    middle = (rows.start + rows.stop) // 2
    lab[:middle, :, 0] -= 8  # a face whose upper half is dark
    texels = PhotoTexels(lab, ones * 0.99, ones, ones, 2.0)
    hidden = replace(texels, trust=np.where(np.arange(SIZE) > columns.start + 128, texels.trust, 0).astype(np.float32))
    tone = measure_tone(texels, atlas, prior)
    mine = personal(prior, hidden, accept(hidden, atlas, prior, tone), atlas, tone, model)
    change = mine.lab[..., 0] - prior.lab[..., 0]
    cheek, forehead = change[rows.start + 170, columns.start + 90], change[rows.start + 40, columns.start + 100]
    assert cheek > forehead + 1
    outside = np.ones((SIZE, SIZE), bool)
    outside[rows, columns] = False
    assert not change[outside].any() and mine.iris is prior.iris


def test_without_the_model_the_mean_skin_stays(monkeypatch):
    head = HeadModel.from_pretrained()
    prior = load_appearance(SIZE, len(head.uv))
    monkeypatch.setattr("facerecon.reconstruction.skin_modes.load_skin_modes", lambda: None)
    assert personal(prior, None, None, None, None) is prior
