"""The estimator, with a tiny network made on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facerecon.demographics import checkpoint
from facerecon.demographics.crops import cut
from facerecon.demographics.estimator import DemographicsEstimator
from facerecon.demographics.labels import RACE_SYSTEMS
from facerecon.demographics.network import AGES, DemographicsNetwork, NetworkConfig, fold
from facerecon.faces.align import warp
from facerecon.types import FaceReconError
from tests.fakes import FakeDetector, make_face, make_photo

CONFIG = NetworkConfig(image_size=32, channels=(8, 16, 16), blocks=(1, 1, 1))
EVEN = {"age": 1.0, "gender": 1.0, "utkface": 1.0, "fairface": 1.0}


def make_network() -> DemographicsNetwork:
    """Random, with statistics as after some training."""
    torch.manual_seed(0)
    network = DemographicsNetwork(CONFIG)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean, 0, 0.3)
    nn.init.normal_(network.out.weight, std=0.5)
    return network.eval()


@pytest.fixture(scope="module")
def estimator() -> DemographicsEstimator:
    return DemographicsEstimator(fold(make_network()), EVEN, FakeDetector())


def test_faces_are_looked_for_on_the_device_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr("facerecon.demographics.estimator.create_detector", lambda **given: asked.update(given) or FakeDetector())
    DemographicsEstimator(fold(make_network()), EVEN).predict(make_photo())
    assert asked == {"refine": True, "device": "cpu"}


def test_folding_changes_nothing() -> None:
    crops = torch.rand(3, 3, 32, 32)
    with torch.inference_mode():
        before = make_network()(crops)
        after = fold(make_network())(crops)
    for head in before:
        torch.testing.assert_close(before[head], after[head], atol=1e-4, rtol=1e-4)


def test_a_stored_network_says_nearly_the_same(tmp_path: Path) -> None:
    network, path = fold(make_network()), tmp_path / checkpoint.FILE
    checkpoint.save(path, network, EVEN | {"age": 1.5})
    loaded, temperatures = checkpoint.load(path)
    crops = torch.rand(8, 3, 32, 32)
    with torch.inference_mode():
        a, b = network(crops)["gender"].softmax(1), loaded(crops)["gender"].softmax(1)
    assert (a - b).abs().max() < 0.03 and temperatures["age"] == 1.5
    weights = sum(p.numel() for p in network.parameters())
    assert path.stat().st_size < 2 * weights + 6000


def test_another_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(FaceReconError, match="demographics checkpoint other.safetensors cannot be used"):
        DemographicsEstimator.from_pretrained("cpu", path)


def test_estimates_are_whole(estimator: DemographicsEstimator) -> None:
    (one,) = estimator.predict(make_photo())
    two = estimator.predict([make_photo(), make_photo(90, 90, seed=2)])
    assert two[0].age == pytest.approx(one.age, abs=0.05) and len(two) == 2
    for estimate in two:
        assert 0 <= estimate.age <= 100 and estimate.age_std > 0
        for shares in (estimate.gender, estimate.race, estimate.fairface, estimate.utkface, estimate.deepface):
            assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        assert estimate.demographics().source == "estimated"
        assert estimate.demographics().race == max(estimate.race, key=estimate.race.get)
        sure = estimate.demographics().certainty
        assert sure["gender"] == max(estimate.gender.values()) and sure["race"] == max(estimate.race.values())
        assert sure["age"] == estimate.age_std
        assert 0 < estimate.confidence <= 1


def test_a_mirrored_face_is_the_same_person(estimator: DemographicsEstimator) -> None:
    crop = make_photo(32, 32, seed=4)
    straight, mirrored = estimator.probabilities(np.stack([crop, crop[:, ::-1]]))["fairface"]
    torch.testing.assert_close(straight, mirrored, atol=1e-5, rtol=1e-4)


def test_the_face_is_what_counts(estimator: DemographicsEstimator) -> None:
    photo, face = make_photo(300, 400), make_face(120, 80, 110)
    other = photo.copy()
    other[:, 330:] = 255
    a, b = estimator.predict([photo, other], [face, face])
    assert a.gender == b.gender and a.face is face


def test_without_a_face_the_photo_is_the_crop(estimator: DemographicsEstimator) -> None:
    photo = make_photo(64, 100)
    np.testing.assert_array_equal(cut(photo, None, 64), photo[:, 18:82])
    (estimate,) = estimator.predict([np.zeros((60, 60, 3), np.uint8)])
    assert estimate.face is None


def test_a_turned_photo_gives_the_same_crop() -> None:
    photo, face = make_photo(200, 200, seed=6), make_face(60, 50, 90)
    matrix = np.array([[0.0, 1.0, 0], [-1.0, 0, 199]])  # a quarter turn
    points = face.points @ matrix[:, :2].T + matrix[:, 2]
    turned = warp(photo, matrix, 200)
    a = cut(photo, face, 48).astype(int)
    b = cut(turned, type(face)(face.box, points.astype(np.float32)), 48).astype(int)
    assert np.abs(a - b).mean() < 1.5


def test_lists_of_unequal_length_are_refused(estimator: DemographicsEstimator) -> None:
    with pytest.raises(FaceReconError, match="equal in number"):
        estimator.predict([make_photo()], [])


@pytest.mark.parametrize("given", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), [np.zeros((9, 9, 4), np.uint8)], "photo.jpg"])
def test_what_is_no_photo_is_refused(estimator: DemographicsEstimator, given: object) -> None:
    with pytest.raises(FaceReconError, match="must be an"):
        estimator.predict(given)


def test_temperatures_divide_the_logits() -> None:
    network, crops = fold(make_network()), make_photo(32, 32)[None]
    plain, cool = (DemographicsEstimator(network, EVEN | {"gender": t}).probabilities(crops) for t in (1.0, 2.5))
    torch.testing.assert_close(cool["gender"].log().diff() * 2.5, plain["gender"].log().diff(), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(cool["age"], plain["age"])


def test_columns_of_the_network_are_those_it_was_trained_with() -> None:
    found = {"age": torch.eye(AGES)[[62]], "gender": torch.tensor([[0.9, 0.1]])}
    found |= {system: torch.eye(len(RACE_SYSTEMS[system]))[[1]] for system in ("utkface", "fairface")}
    (estimate,) = DemographicsEstimator._estimates(found, [None])
    assert estimate.age == 62 and estimate.age_std == pytest.approx(0, abs=0.05)
    assert estimate.gender["female"] == pytest.approx(0.9) and estimate.dominant_race == "African"


def test_the_largest_face_is_the_one_estimated() -> None:
    faces = [make_face(5, 5, 30), make_face(60, 20, 80), make_face(40, 5, 20)]
    (estimate,) = DemographicsEstimator(fold(make_network()), EVEN, FakeDetector(faces)).predict(make_photo())
    assert np.array_equal(estimate.face.box, faces[1].box)
