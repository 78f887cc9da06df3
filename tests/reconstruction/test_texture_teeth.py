"""Teeth and lips in textures taken from photos of a smile, on pictures drawn of the shipped head."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.spatial import cKDTree

from facerecon.reconstruction.texture import unproject
from facerecon.reconstruction.texture_atlas import atlas_of
from tests.reconstruction.test_texture import SIZE, person, photograph, turned

SMILE = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "mouthUpperUpLeft": 0.6, "mouthUpperUpRight": 0.6, "jawOpen": 0.25}


@pytest.fixture(scope="module")
def atlas(head):
    return atlas_of(head, SIZE)


@pytest.fixture(scope="module")
def smile(head):
    expression = head.template.new_zeros(1, len(head.expression_labels))
    for name, strength in SMILE.items():
        expression[0, head.expression_labels.index(name)] = strength
    return head.vertices(expression=expression)[0].numpy()


def rgb(*lab: float) -> np.ndarray:
    """sRGB (3,) uint8 of a CIE Lab colour."""
    return (cv2.cvtColor(np.array([[lab]], np.float32), cv2.COLOR_LAB2RGB)[0, 0] * 255).round().astype(np.uint8)


def lab(picture: np.ndarray) -> np.ndarray:
    """CIE Lab of sRGB colours (N, 3) uint8."""
    return cv2.cvtColor(picture[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]


def fronts(atlas) -> np.ndarray:
    return (atlas.crown >= 1) & (atlas.tooth_facing >= 1)


@pytest.mark.parametrize("colour", [(90.0, 0.0, 5.0), (70.0, 2.0, 22.0)])
def test_teeth_have_the_colour_of_the_photos(head, atlas, smile, colour):
    texture, pose = person(head, atlas), turned(0)
    texture[atlas.crown > 0.5] = rgb(*colour)
    made = unproject(photograph(head, smile, texture, pose), pose, smile, head, SIZE).texture
    assert np.abs(np.median(lab(made[fronts(atlas)]), axis=0) - colour).max() < 8


def test_teeth_that_the_photo_hides_are_pale_and_apart(head, atlas):
    shut, pose = head.vertices()[0].numpy(), turned(0)
    made = unproject(photograph(head, shut, person(head, atlas), pose), pose, shut, head, SIZE).texture
    front, gap = fronts(atlas), (atlas.crown >= 1) & (atlas.tooth_facing < 0.3)
    brightness = [np.median(lab(made[place])[:, 0]) for place in (front, gap)]
    assert brightness[0] > 70 and np.abs(np.median(lab(made[front])[:, 1])) < 5
    assert brightness[1] < 0.8 * brightness[0]


def rims(head, atlas) -> np.ndarray:
    """(S, S): the lips' texels beside the mouth."""
    mouth = cKDTree(atlas.template[head.masks["mouth_interior"].numpy()])
    return (atlas.masks["lips"] > 0.9) & (mouth.query(atlas.spread(atlas.template))[0] < 0.007)


def test_teeth_in_the_photo_do_not_land_on_the_lips(head, atlas, smile):
    """The fit's mouth is opened less than the photo's: what it takes for the lips' rims shows teeth."""
    texture, pose, rim = person(head, atlas), turned(0), rims(head, atlas)
    toothy = texture.copy()
    toothy[rim] = rgb(95, 0, 4)
    made = unproject(photograph(head, smile, toothy, pose), pose, smile, head, SIZE).texture
    assert np.percentile(lab(texture[rim])[:, 0], 90) < 60 and np.percentile(lab(made[rim])[:, 0], 90) < 75


def test_the_open_mouth_in_the_photo_does_not_land_on_the_lips(head, atlas, smile):
    texture, pose, rim = person(head, atlas), turned(0), rims(head, atlas)
    dark = texture.copy()
    dark[rim] = rgb(8, 3, 3)
    made = unproject(photograph(head, smile, dark, pose), pose, smile, head, SIZE).texture
    assert np.percentile(lab(texture[rim])[:, 0], 10) > 35 and np.percentile(lab(made[rim])[:, 0], 10) > 30


def test_gums_beside_the_teeth_are_teeth_and_others_are_gums(head, atlas):
    gums = atlas.material == head.material_labels.index("gums")
    assert 0.01 < (atlas.crown[gums] > 0.5).mean() < 0.5 and (atlas.crown[gums] == 0).mean() > 0.2
    teeth = atlas.material == head.material_labels.index("teeth")
    assert atlas.crown[teeth].min() > 0.99 and not atlas.crown[atlas.skin].any()
