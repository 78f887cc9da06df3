"""The mapping network: starts at the coarse shape, keeps to its bounds, and moves the head without moving the landmarks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from facerecon.checkpoints import checkpoint_version, find_checkpoint
from facerecon.quantization import compress, expand
from facerecon.faces.align import template_points
from facerecon.head import HeadModel
from facerecon.reconstruction import metric_shape
from facerecon.reconstruction.encoder import EncoderConfig, HeadEncoder
from facerecon.reconstruction.metric_shape import (
    MetricShape, MetricShapeConfig, MetricShaper, ShapeCode, encoder_versions, known_numbers, stated_numbers,
)  # fmt: skip
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.reconstruction.trunk import TrunkConfig
from facerecon.types import Demographics, Face, PersonShape, ReconstructionOptions
from train.reconstruction.shrink import shrink

TINY = TrunkConfig(image_size=64, channels=(32, 32, 32, 32), blocks=(1, 1, 1, 1), reduced=32, features=64)
FEATURES = 64 + 32 * 4  # hidden layer, and cells of the last maps


def coarse(count=5):
    torch.manual_seed(3)
    return ShapeCode(torch.randn(count, 80).clamp(-2.9, 2.9), torch.rand(count) * 90 + 2, torch.rand(count), torch.rand(count, 3).softmax(1))


def network(**changes):
    torch.manual_seed(1)
    made = MetricShape(MetricShapeConfig(**{"embedding": 8, "features": FEATURES, "hidden": 16, "layers": 2, **changes})).eval()
    return made


def test_untrained_it_leaves_the_coarse_shape_alone():
    start = coarse()
    found = network()(torch.randn(5, 8), torch.randn(5, FEATURES), start)
    for name in ("identity", "age", "gender", "ancestry"):
        assert torch.allclose(getattr(found, name), getattr(start, name), atol=2e-3), name


def test_whatever_it_says_is_a_possible_person():
    wild = network()
    torch.nn.init.normal_(wild.out.weight, std=30)
    start = ShapeCode(torch.full((4, 80), 3.0), torch.tensor([0.0, 100, 50, 3]), torch.tensor([0.0, 1, 0.5, 1]), torch.eye(3)[[0, 1, 2, 0]])
    found = wild(torch.randn(4, 8), torch.randn(4, FEATURES), start)
    assert found.identity.abs().max() <= 3 and torch.isfinite(found.identity).all()
    assert (found.age >= 0).all() and (found.age <= 100).all()
    assert torch.allclose(found.ancestry.sum(1), torch.ones(4)) and found.gender.min() >= 0 and found.gender.max() <= 1


def test_either_input_can_be_left_out():
    for left_out in ("embedding", "features"):
        made = network(**{left_out: 0})
        torch.nn.init.normal_(made.out.weight)
        inputs = {"embedding": torch.randn(5, 8), "features": torch.randn(5, FEATURES)}
        found = made(inputs["embedding"], inputs["features"], coarse()).identity
        inputs[left_out] = inputs[left_out] + 1 + torch.randn_like(inputs[left_out])
        assert torch.equal(found, made(inputs["embedding"], inputs["features"], coarse()).identity)


def test_what_is_stated_reaches_the_network_and_unknown_is_not_zero_years():
    told = stated_numbers([None, Demographics(age=0), Demographics(gender="male"), Demographics(race="Asian")])
    assert told[0].abs().sum() == 0 and told[1, 5:].tolist() == [1, 0, 0]
    assert told[2, 5:].tolist() == [0, 1, 0] and told[2, 1] == 0.5 and told[3, 5:].tolist() == [0, 0, 1]
    nan = torch.tensor([torch.nan])
    assert torch.equal(known_numbers(nan, nan, torch.full((1, 3), torch.nan)), told[:1])
    made = network()
    torch.nn.init.normal_(made.out.weight)
    inputs = torch.zeros(4, 8), torch.zeros(4, FEATURES)
    start = ShapeCode(torch.zeros(4, 80), torch.full((4,), 30.0), torch.full((4,), 0.5), torch.full((4, 3), 1 / 3))
    found = made(*inputs, start, told).identity
    assert all((found[0] - found[i]).abs().max() > 1e-3 for i in (1, 2, 3))


class StandInIdentity:
    """An embedding of the crop's mean colour."""

    def crop(self, image, face):
        return image[:8, :8]

    def embed(self, images):
        return np.stack([np.resize(image.mean((0, 1)) / 255, 8).astype(np.float32) for image in images])


@pytest.fixture(scope="module")
def pair():
    """The same encoder with the coarse shape alone, and with metric shape."""
    torch.manual_seed(0)
    encoder, head = HeadEncoder(EncoderConfig(TINY)), HeadModel.from_pretrained()
    torch.nn.init.normal_(encoder.out.weight, std=0.1)
    made = network()
    torch.nn.init.normal_(made.out.weight, std=0.3)
    return HeadReconstructor(encoder, head), HeadReconstructor(encoder, head, shaper=MetricShaper(made, StandInIdentity()))


def test_a_head_takes_the_metric_shape_and_stays_where_it_is_in_the_photo(pair):
    photo = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    points = template_points(120, "reconstruction") + (100, 60)
    face = Face(np.array([120, 80, 200, 160], np.float32), points.astype(np.float32))
    before, after = (one.encode([photo], [face])[0] for one in pair)
    assert np.abs(before.identity - after.identity).max() > 0.2
    assert np.array_equal(before.expression, after.expression)
    marks = [one.geometry(p)[1] for one, p in zip(pair, (before, after))]
    assert np.linalg.norm(marks[0] - marks[1], axis=1).mean() < 0.06 * np.ptp(marks[0])
    person = PersonShape(np.zeros(80, np.float32), before.mean_weights, before.demographics)
    given = pair[1].encode([photo], [face], options=ReconstructionOptions(person=person))[0]
    assert np.array_equal(given.identity, person.identity)


def test_a_network_of_another_encoder_is_passed_by(tmp_path, monkeypatch):
    import json

    made = network(encoder="of-another")
    place = tmp_path / "shape"
    place.mkdir()
    save_file(compress(made.state_dict()), place / "shape.safetensors", {"config": json.dumps(made.config.to_dict())})
    monkeypatch.setattr("facerecon.checkpoints.WEIGHTS", tmp_path)
    monkeypatch.setattr(metric_shape, "find_checkpoint", lambda name: tmp_path / name)
    monkeypatch.setattr(metric_shape, "encoder_versions", lambda path: {"this-one", "before"})
    assert MetricShaper.shipped() is None
    monkeypatch.setattr(metric_shape, "encoder_versions", lambda path: {"of-another"})
    monkeypatch.setattr(metric_shape.IdentityEncoder, "from_pretrained", classmethod(lambda cls, device: StandInIdentity()))
    assert MetricShaper.shipped().network.config == made.config


def test_an_encoder_stored_in_fewer_bits_keeps_its_metric_shape(tmp_path):
    torch.manual_seed(0)
    state, file = HeadEncoder(EncoderConfig(TINY)).state_dict(), tmp_path / "reconstruction.safetensors"
    save_file(compress(state), file)
    after = shrink(file, tmp_path / "small")
    assert encoder_versions(after.parent) == {checkpoint_version(file), checkpoint_version(after.parent)}
    assert after.stat().st_size < 0.85 * file.stat().st_size
    kept = expand(load_file(after))
    assert all(torch.allclose(kept[k], v, atol=0.02 * float(v.abs().max()) + 1e-3) for k, v in state.items())
    with pytest.raises(SystemExit, match="other.safetensors"):
        shrink(tmp_path / "other.safetensors", tmp_path)


def test_the_shipped_metric_shape_belongs_to_the_shipped_encoder():
    assert MetricShape.from_pretrained().config.encoder in encoder_versions(find_checkpoint("reconstruction"))


def test_metric_shape_leaves_the_landmarks_where_they_were(pair):
    photo = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    face = Face(np.array([120, 80, 200, 160], np.float32), (template_points(120, "reconstruction") + (100, 60)).astype(np.float32))
    before, after = (one.encode([photo], [face])[0] for one in pair)
    marks = [one.geometry(p)[1] for one, p in zip(pair, (before, after))]
    own = pair[1].geometry(replace(after, rotation=before.rotation, translation_m=before.translation_m))[1]
    moved, unmoved = (np.linalg.norm(m - marks[0], axis=1).mean() for m in (marks[1], own))
    assert moved < 0.7 * unmoved
