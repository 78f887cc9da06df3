"""Scans of our own heads, registered: noise, holes, another triangulation, any pose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from facerecon.head import HeadModel
from facerecon.types import FaceReconError
from train.data.scan_sets import ScannedPerson
from train.head import register_scans
from train.head.evaluate_registration import make_scan, registration_errors
from train.head.scan_fitting import RegisteredHead, Scan, ScanFitter


@pytest.fixture(scope="module")
def head():
    return HeadModel.from_pretrained()


@pytest.fixture(scope="module")
def fitter(head):
    return ScanFitter(head)


@pytest.fixture(scope="module")
def sample(head):
    return make_scan(head, np.random.default_rng((7, 1)), points=30_000)


def test_a_noisy_scan_with_holes_gives_its_head_back(head, fitter, sample):
    found = fitter.register(sample.scan)
    errors = registration_errors(head, sample, found)
    assert errors["surface"] < 0.35 and errors["vertices"] < 0.8 and errors["holes"] < 1.5
    moved = found.vertices @ found.rotation.T + found.translation
    placed = sample.truth @ sample.rotation.T + sample.translation
    face = head.masks["face"].numpy()
    assert 1000 * np.median(np.linalg.norm(moved - placed, axis=1)[face]) < 1.2
    assert 0.3 < found.covered[face].mean() < 1 and not found.covered[head.masks["scalp"].numpy()].all()


def test_landmarks_serve_as_a_start(head, fitter, sample):
    marks = head.landmarks(torch.from_numpy(sample.truth[None].astype(np.float32)))[0].numpy()
    numbers = (30, 36, 39, 42, 45, 48, 54)
    scan = Scan(sample.scan.vertices, sample.scan.faces, marks[list(numbers)] @ sample.rotation.T + sample.translation, numbers)
    pose = fitter._start(scan, None)
    assert np.abs(pose.rotation - sample.rotation).max() < 0.15
    assert np.linalg.norm(pose.translation - sample.translation) < 0.02


def test_what_is_no_surface_is_refused(fitter):
    with pytest.raises(FaceReconError, match="triangles"):
        fitter.register(Scan(np.zeros((3, 3)), np.zeros((0, 3), int)))


class Recorder:
    """In a fitter's place: counts, and fails on demand."""

    def __init__(self, fail: bool = False) -> None:
        self.calls, self.fail = 0, fail

    def register(self, scan: Scan) -> RegisteredHead:
        self.calls += 1
        if self.fail:
            raise FaceReconError("No face was found in the scan.")
        return RegisteredHead(np.zeros((5, 3), np.float32), np.eye(3), np.zeros(3), np.ones(106), np.ones(5, bool), 0.1)


def test_the_command_goes_on_where_it_stopped(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(register_scans, "read_scan", lambda path: (np.zeros((3, 3)), np.zeros((1, 3), int)))
    people = [ScannedPerson(name, Path(f"{name}.obj"), [Path("a.jpg")], 30.0, "female") for name in ("1", "2")]
    first = Recorder()
    assert register_scans.register_people(people[:1], tmp_path, first) == {} and first.calls == 1
    second = Recorder(fail=True)
    failed = register_scans.register_people(people, tmp_path, second)
    assert second.calls == 1 and list(failed) == ["2"] and json.loads((tmp_path / "failed.json").read_text()) == failed
    with np.load(tmp_path / "1.npz") as written:
        assert set(register_scans.FIELDS) == set(written.files)
        assert written["age"] == 30 and written["gender"] == 0 and Path(str(written["photos"][0])).is_absolute()
    assert not list(tmp_path.glob(".*"))
