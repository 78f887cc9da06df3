"""What a user states about a person reaches the head's mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facerecon.head.model import HeadModel
from facerecon.reconstruction.encoder import EncoderConfig, HeadEncoder
from facerecon.reconstruction.reconstructor import HeadReconstructor, describe
from facerecon.reconstruction.trunk import TrunkConfig
from facerecon.types import Demographics, HeadParameters
from tests.fakes import make_face, make_photo


@pytest.fixture(scope="module")
def reconstructor() -> HeadReconstructor:
    head = HeadModel.from_pretrained()
    trunk = TrunkConfig(image_size=64, channels=(32, 32, 32, 32), blocks=(1, 1, 1, 1), reduced=32, features=64)
    torch.manual_seed(0)
    return HeadReconstructor(HeadEncoder(EncoderConfig(trunk)), head)


def encode(reconstructor: HeadReconstructor, known: Demographics | None) -> HeadParameters:
    return reconstructor.encode([make_photo()], [make_face(40, 30, 60)], [known])[0]


def test_what_is_stated_moves_the_mean(reconstructor: HeadReconstructor) -> None:
    vertices = [
        reconstructor.geometry(encode(reconstructor, Demographics(age=age, source="user")))[0] for age in (6, 70)
    ]
    assert np.abs(vertices[0] - vertices[1]).max() > 0.005


def test_the_rest_is_read_from_the_photo_or_left_average(reconstructor: HeadReconstructor) -> None:
    seen = encode(reconstructor, None).demographics
    partly = encode(reconstructor, Demographics(age=70, source="user")).demographics
    assert (partly.age, partly.gender) == (70, seen.gender) and seen.gender is not None
    alone = Demographics(age=70, source="user", auto_detect=False)
    parameters = encode(reconstructor, alone)
    assert parameters.demographics == alone
    expected = reconstructor.head.demographic_weights([alone])[0].numpy()
    np.testing.assert_allclose(parameters.mean_weights, expected, atol=1e-6)


def test_only_what_was_estimated_has_a_certainty() -> None:
    judged = Demographics(40.0, "male", "Black", source="estimated", certainty={"age": 6.0, "gender": 0.8, "race": 0.7})
    assert describe(None, judged).certainty == judged.certainty
    said = Demographics(gender="female", ethnicity="Yoruba", source="user")
    assert describe(said, judged).certainty == {"age": 6.0}  # an ethnicity stands in place of the race
    alone = Demographics(gender="female", source="user", auto_detect=False)
    assert describe(alone, judged).certainty == {}
