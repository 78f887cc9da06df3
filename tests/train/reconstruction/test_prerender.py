"""Drawing faces ahead of training loses nothing when it is stopped."""

from __future__ import annotations

import numpy as np
import pytest

from facerecon.types import FaceReconError
from train.reconstruction import prerender as stage

SIZE = 4


def _no_start(data, size, head_path, profiles):
    pass


def _drawn(key):
    return np.full((SIZE, SIZE, 3), key[1], np.uint8), {name: np.full(2, key[1], np.float32) for name in stage.LABELS}


def _interrupted(key):
    if key[1] == 21:
        raise RuntimeError("full")
    return _drawn(key)



def test_a_stopped_run_goes_on_where_its_labels_end(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "_start", _no_start)
    monkeypatch.setattr(stage, "_draw", _interrupted)
    with pytest.raises(RuntimeError, match="full"):
        stage.prerender(tmp_path, tmp_path / "out", 40, SIZE, seed=3, workers=1, kept_every=6)
    assert not (tmp_path / "out" / "labels.npz").exists()
    kept = len(np.load(tmp_path / "out" / "labels.part.npz")["age"])
    assert kept >= 12

    monkeypatch.setattr(stage, "_draw", _drawn)
    stage.prerender(tmp_path, tmp_path / "out", 40, SIZE, seed=3, workers=1, kept_every=6)
    images, labels = np.load(tmp_path / "out" / "images.npy"), np.load(tmp_path / "out" / "labels.npz")
    assert (images[:, 0, 0, 0] == np.arange(40)).all()
    assert all((labels[name][:, 0] == np.arange(40)).all() for name in stage.LABELS)
    assert not (tmp_path / "out" / "labels.part.npz").exists()

    monkeypatch.setattr(stage, "_draw", _interrupted)  # a whole folder is left alone
    stage.prerender(tmp_path, tmp_path / "out", 40, SIZE, seed=3, workers=1)


def test_other_faces_are_not_mixed_into_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "_start", _no_start)
    monkeypatch.setattr(stage, "_draw", _drawn)
    stage.prerender(tmp_path, tmp_path / "out", 4, SIZE, seed=3, workers=1)
    for count, profiles in ((6, 0.0), (4, 0.5)):
        with pytest.raises(FaceReconError, match="out holds faces with count 4, size 4, seed 3"):
            stage.prerender(tmp_path, tmp_path / "out", count, SIZE, seed=3, workers=1, profiles=profiles)
    assert len(np.load(tmp_path / "out" / "images.npy")) == 4
