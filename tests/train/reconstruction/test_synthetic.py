"""Synthetic people and the crops drawn of them."""

import numpy as np
import pytest

from facerecon.head import HeadModel
from train.reconstruction.appearance import Assets, to_linear, to_srgb
from train.reconstruction.people import Person, euler, sample_expression, sample_person, sample_rotation
from train.reconstruction.synthetic import SyntheticFaces, hair_chances


@pytest.fixture(scope="module")
def maker():
    grey = np.full((8, 8, 3), 0.4, np.float32)
    assets = Assets(
        skins=[grey], skin_names=["young_lightskinned"], skin_means=grey[0, :1], brows=[np.zeros((8, 8), np.float32)],
        tongue=grey, environments=np.ones((1, 8, 16, 3), np.float32), backgrounds=[np.zeros((64, 64, 3), np.uint8)],
    )  # fmt: skip
    return SyntheticFaces(HeadModel.from_pretrained(), assets, 64)


def test_same_seed_same_face(maker):
    first, again, other = (maker.sample(np.random.default_rng(s)) for s in (3, 3, 4))
    assert np.array_equal(first.image, again.image) and np.array_equal(first.landmarks, again.landmarks)
    assert not np.array_equal(first.image, other.image)


def test_landmarks_are_the_projected_head(maker):
    for seed in range(6):
        face = maker.sample(np.random.default_rng(seed))
        vertices = maker._vertices(face.person, face.expression)
        nose = vertices[vertices[:, 2].argmax()] @ face.rotation.T
        depth = face.scale / (1 - nose[2] / face.distance)
        seen = face.center + depth * nose[:2] * (1, -1)
        assert np.linalg.norm(seen - face.landmarks[30]) < 0.12 * 64


def test_faces_fill_the_crop_as_the_alignment_has_it(maker):
    landmarks = np.stack([maker.sample(np.random.default_rng(s)).landmarks for s in range(12)])
    assert np.abs(landmarks.mean((0, 1)) - 32).max() < 8
    assert 0.2 * 64 < np.ptp(landmarks[..., 1], axis=1).mean() < 0.7 * 64


def test_expressions_make_anatomical_sense():
    labels = HeadModel.from_pretrained().expression_labels
    rng = np.random.default_rng(0)
    drawn = np.stack([sample_expression(rng, labels) for _ in range(300)])
    column = {name: drawn[:, i] for i, name in enumerate(labels)}
    assert drawn.min() >= 0 and drawn.max() <= 1
    assert (column["mouthClose"] <= column["jawOpen"]).all()
    assert np.corrcoef(column["mouthSmileLeft"], column["mouthSmileRight"])[0, 1] > 0.8


def test_people_are_of_all_ages_and_both_genders():
    rng = np.random.default_rng(0)
    people = [sample_person(rng, 5) for _ in range(300)]
    ages = np.array([p.age for p in people])
    assert (ages < 12).mean() > 0.08 and (ages > 65).mean() > 0.1
    assert 0.35 < np.mean([p.gender for p in people]) < 0.65
    assert all(abs(p.ancestry.sum() - 1) < 1e-9 for p in people)


def test_hair_goes_with_age_and_gender_as_in_photos():
    people = [Person(age, gender, np.array([0.0, 0, 1]), np.zeros(5)) for age, gender in ((70, 1.0), (20, 1.0), (70, 0.0))]
    (old_bald, men_long), (young_bald, _), (women_bald, women_long) = (hair_chances(person) for person in people)
    assert old_bald > 3 * young_bald > 0 and old_bald > 3 * women_bald and women_long > 5 * men_long


def test_ancestry_that_rounds_to_more_than_one_still_has_hair_of_some_colour(maker):
    ancestry = np.nextafter(np.float32([0.6, 0.4, 0.0]), np.float32(2))
    assert ancestry[:2].sum() > 1
    person = Person(age=30.0, gender=0.3, ancestry=ancestry, identity=np.zeros(80, np.float32))
    assert np.isfinite(maker._hair_colour(person, np.random.default_rng(0))).all()


def test_rotations_turn_and_do_not_mirror():
    rng = np.random.default_rng(0)
    for _ in range(20):
        r = sample_rotation(rng)
        assert np.allclose(r @ r.T, np.eye(3), atol=1e-9) and np.linalg.det(r) > 0
    assert (euler(np.radians(30), 0, 0) @ (0, 0, 1))[0] > 0


def test_colour_spaces_are_inverse():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    assert np.abs(to_srgb(to_linear(values)) - values).max() < 0.5


def test_as_many_heads_are_seen_from_the_side_as_are_asked_for():
    rng = np.random.default_rng(0)
    turned = np.stack([sample_rotation(rng, 0.7) for _ in range(400)])
    yaw = np.degrees(np.abs(np.arctan2(turned[:, 0, 2], turned[:, 2, 2])))
    assert 0.65 < (yaw > 49).mean() < 0.85 and (yaw > 85).any()
    usual = [sample_rotation(np.random.default_rng(i)) for i in range(3)]
    assert all(np.array_equal(r, sample_rotation(np.random.default_rng(i), 0.0)) for i, r in enumerate(usual))
