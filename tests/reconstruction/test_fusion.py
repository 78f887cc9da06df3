"""What a user states and what a photo shows, together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facerecon.demographics.estimator import DemographicsEstimate
from facerecon.head.model import HeadModel
from facerecon.metrics.geometry import vertex_errors
from facerecon.reconstruction.encoder import EncoderConfig, HeadEncoder
from facerecon.reconstruction.fusion import contradictions, in_numbers, keep_shape
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.reconstruction.trunk import TrunkConfig
from facerecon.types import Demographics
from tests.fakes import make_face, make_photo

WOMAN = DemographicsEstimate(34.0, 6.0, {"female": 0.99, "male": 0.01}, {"Asian": 0.9, "Caucasian": 0.09, "African": 0.01})


@pytest.mark.parametrize(
    "stated, against",
    [
        (Demographics(age=45, gender="female", race="Asian"), []),
        (Demographics(age=80, gender="male", race="African"), ["age", "gender", "race"]),
        (Demographics(race="Pacific Islander", ethnicity="Samoan"), []),
        (None, []),
    ],
)
def test_contradictions(stated: Demographics | None, against: list[str]) -> None:
    assert contradictions(stated, WOMAN) == against


def test_an_estimate_in_numbers_is_as_unsure_as_it_is() -> None:
    age, gender, ancestry = in_numbers(WOMAN)
    assert float(age) == 34 and float(gender) == pytest.approx(0.01)
    torch.testing.assert_close(ancestry, torch.tensor([[0.01, 0.9, 0.09]]), atol=1e-5, rtol=0)


def test_identity_takes_up_the_move_of_the_mean() -> None:
    head = HeadModel.from_pretrained()
    torch.manual_seed(0)
    identity = torch.randn(2, 40) * 0.5
    people = [Demographics(age=34, gender="female", race="Asian"), Demographics(age=60, gender="male", race="African")]
    before, after = (w[None].expand(2, -1) for w in head.demographic_weights(people))
    kept = keep_shape(head, identity, before, after)
    full = torch.zeros(2, 2, len(head.identity_labels))
    full[0, :, :40], full[1, :, :40] = identity, kept
    face = head.masks["face"]
    real = head.vertices(full[0], None, before)[:, face]
    moved = (head.vertices(full[0], None, after)[:, face] - real).norm(dim=2).mean()
    stayed = (head.vertices(full[1], None, after)[:, face] - real).norm(dim=2).mean()
    assert stayed < 0.6 * moved
    torch.testing.assert_close(keep_shape(head, identity, before, before), identity)


class Sure:
    """An estimator that always sees the same woman."""

    def predict(self, images, faces):
        return [WOMAN] * len(images)


def test_a_contradictory_entry_does_not_break_the_photo() -> None:
    head = HeadModel.from_pretrained()
    trunk = TrunkConfig(image_size=64, channels=(32, 32, 32, 32), blocks=(1, 1, 1, 1), reduced=32, features=64)
    torch.manual_seed(0)
    reconstructor = HeadReconstructor(HeadEncoder(EncoderConfig(trunk)), head, Sure())
    photo, face, mask = make_photo(), make_face(40, 30, 60), head.masks["face"].numpy()

    def rebuilt(known: Demographics | None):
        (parameters,) = reconstructor.encode([photo], [face], [known])
        return parameters, *reconstructor.geometry(parameters)

    seen, vertices, landmarks = rebuilt(None)
    assert (seen.demographics.gender, seen.demographics.race, seen.demographics.source) == ("female", "Asian", "estimated")
    absurd = Demographics(age=7, gender="male", race="African", source="user")
    told, moved, points = rebuilt(absurd)
    assert (told.demographics.age, told.demographics.race, told.demographics.source) == (7, "African", "user")
    reconstructor.estimator = None
    _, blind, _ = rebuilt(absurd)
    errors = [vertex_errors(v, vertices, mask).mean() * 1000 for v in (moved, blind)]
    assert errors[0] < 0.6 * errors[1] and errors[0] < 3
    assert np.linalg.norm(points - landmarks, axis=1).max() < 0.1 * face.size
