"""A detector stage that is stopped and resumed gives the very network that a straight run gives."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facerecon.faces.center import CenterDetector
from facerecon.faces.center_network import CenterConfig, CenterNetwork
from facerecon.types import FaceReconError
from train.detector.export import calibrate, export
from train.detector.prepare import FacePhotos, write
from train.detector.scenes import Composer
from train.detector.sources import Backgrounds, FaceMixture
from train.detector.train import parse, train
from tests.train.detector.test_scenes import OneFace


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder, source = tmp_path_factory.mktemp("faces"), OneFace()
    write(folder, [(source.picture, source.landmarks[0], "test")] * 2)
    return folder


def run(photos, output, *more):
    path = train(parse(["--photos", str(photos), "--config", "tiny", "--output", str(output), "--workers", "0", *more]))
    return torch.load(path, weights_only=False)


def test_resuming_changes_nothing(photos, tmp_path):
    straight = run(photos, tmp_path / "a")
    run(photos, tmp_path / "b", "--stop-at", "2")
    resumed = run(photos, tmp_path / "b", "--resume", "latest")
    assert resumed["steps"] == straight["steps"] == 4
    assert all(torch.equal(straight["weights"][name], value) for name, value in resumed["weights"].items())


def test_what_is_exported_can_be_used(photos, tmp_path):
    run(photos, tmp_path, "--steps", "1")
    file = export(tmp_path / "detector.pt", tmp_path / "weights", slope=2.0, shift=-1.0)
    detector = CenterDetector.from_pretrained(path=file)
    assert detector.detect(np.full((64, 64, 3), 90, np.uint8)) == []


def test_a_network_that_takes_nothing_for_a_face_cannot_be_calibrated():
    network = CenterNetwork(CenterConfig(32, (32, 32, 32, 32), (1, 1, 1, 1), 32)).eval()
    torch.nn.init.constant_(network.predict.bias, -20.0)
    with pytest.raises(FaceReconError, match="In 1 scenes the detector took nothing for a face"):
        calibrate(network, Composer(FaceMixture([OneFace()], [1.0]), Backgrounds([]), 128), 1)


def test_a_new_run_begins_where_exported_weights_are(photos, tmp_path):
    run(photos, tmp_path / "a")
    file = export(tmp_path / "a" / "detector.pt", tmp_path / "weights", slope=1.0, shift=0.0)
    begun = run(photos, tmp_path / "b", "--init", str(file), "--lr", "1e-9", "--steps", "1")["weights"]
    fresh = run(photos, tmp_path / "c", "--lr", "1e-9", "--steps", "1", "--seed", "5")["weights"]
    earlier = torch.load(tmp_path / "a" / "detector.pt", weights_only=False)["weights"]
    far, near = (sum(float((w[k] - earlier[k]).square().sum()) for k in w if w[k].ndim == 4) for w in (fresh, begun))
    assert near < 0.01 * far


def test_a_run_that_begins_with_weights_of_another_size_keeps_that_size(photos, tmp_path):
    network = CenterNetwork(CenterConfig(32, (32, 32, 32, 32), (2, 1, 1, 1), 32))  # not that of the config "tiny"
    file = tmp_path / "detector.safetensors"
    save_file(network.state_dict(), file, {"config": json.dumps(asdict(network.config))})
    run(photos, tmp_path / "run", "--init", str(file), "--steps", "1")
    exported = export(tmp_path / "run" / "detector.pt", tmp_path / "weights", slope=1.0, shift=0.0)
    assert CenterDetector.from_pretrained(path=exported).network.config.blocks == (2, 1, 1, 1)


def test_some_packs_alone_are_read_with_their_own_pixels(tmp_path):
    pictures = [np.full((4 + i, 5, 3), 50 * i, np.uint8) for i in range(4)]
    write(tmp_path, [(picture, np.full((68, 2), i), pack) for i, (picture, pack) in enumerate(zip(pictures, "abab"))])
    faces = FacePhotos.load(tmp_path).only(["b"])
    assert len(faces) == 2 and [faces.landmarks[i][0, 0] for i in range(2)] == [1, 3]
    assert np.array_equal(faces.image(0), pictures[1]) and np.array_equal(faces.image(1), pictures[3])
    with pytest.raises(FaceReconError, match="No photo is of c: there are a, b"):
        FacePhotos.load(tmp_path).only(["c"])
