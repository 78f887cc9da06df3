"""Light taken out of the base colour, on pictures drawn of the shipped head in light that is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from facerecon.reconstruction.appearance import load_appearance
from facerecon.reconstruction.delight import remove_light
from facerecon.reconstruction.texture import unproject
from facerecon.reconstruction.texture_projection import project_photo
from facerecon.rendering.pictures import render_head, vertices_in_camera
from facerecon.rendering.shading import directional_light, uniform_light
from tests.reconstruction.test_texture import PHOTO, SIZE, atlas, person, photograph, turned, vertices  # noqa: F401


def lit(head, vertices, texture, pose, lamp, ambient=0.12):  # noqa: F811
    light = directional_light(torch.tensor([lamp]), torch.tensor([[0.9, 0.9, 0.9]])) + uniform_light(1, ambient)[0]
    return render_head(
        vertices_in_camera(vertices, pose), head, PHOTO, pose.focal_px, pose.principal_point, texture=texture,
        lighting=light, background=(90, 110, 140),
    )


def cheeks(atlas, prior):  # noqa: F811
    place, masks = atlas.spread(atlas.template)[..., 0], atlas.masks
    bare = (masks["face"] > 0.9) & (masks["lips"] < 0.1) & (masks["eyes"] < 0.1) & (prior.hair_growth < 0.05)
    return bare & (place > 0.02) & (place < 0.055), bare & (place < -0.02) & (place > -0.055)


def brightness(texture):
    return ((texture / 255.0) ** 2.2).mean(-1)


@pytest.mark.parametrize("lamp", [[1.0, 0.2, 0.4], [-1.0, 0.5, 0.3]])
def test_side_light_leaves_both_cheeks_alike(head, vertices, atlas, lamp):  # noqa: F811
    prior, texture, pose = load_appearance(SIZE, len(head.uv)), person(head, atlas, symmetric=True), turned(0)
    photo = lit(head, vertices, texture, pose, lamp)
    left, right = cheeks(atlas, prior)
    ratios, errors = [], []
    for delight in (False, True):
        result = unproject(photo, pose, vertices, head, SIZE, delight=delight).texture
        found, truth = brightness(result), brightness(texture)
        ratios.append(abs(np.log(found[left].mean() / found[right].mean())))
        share = (found / truth)[left | right]
        errors.append(np.abs(share / np.median(share) - 1).mean())
    assert ratios[0] > np.log(2) and ratios[1] < np.log(1.12)
    assert errors[1] < 0.4 * errors[0]


def test_hair_is_not_lit_as_the_skin_below_it(head, vertices, atlas):  # noqa: F811
    prior, pose = load_appearance(SIZE, len(head.uv)), turned(0)
    photo = lit(head, vertices, person(head, atlas), pose, [1.0, 0.2, 0.4])
    texels = project_photo(photo, pose, vertices, atlas)
    lab = remove_light(texels, pose, vertices, atlas, prior).lab
    hair = (prior.hair_growth > 0.5) & (texels.trust > 0.5)
    change = (lab - texels.lab)[hair][:, 0]
    assert hair.sum() > 1000 and np.percentile(np.abs(change - np.median(change)), 90) < 6


def test_an_even_light_changes_little(head, vertices, atlas):  # noqa: F811
    texture, pose = person(head, atlas), turned(0)
    photo = render_head(
        vertices_in_camera(vertices, pose), head, PHOTO, pose.focal_px, pose.principal_point, texture=texture,
        background=(90, 110, 140),
    )  # fmt: skip
    plain, flat = (unproject(photo, pose, vertices, head, SIZE, delight=d) for d in (False, True))
    seen = (plain.visibility > 200) & (atlas.masks["face"] > 0.9)
    assert np.abs(plain.texture[seen].astype(float) - flat.texture[seen]).mean() < 6
    assert plain.texture[seen].mean() == pytest.approx(flat.texture[seen].mean(), rel=0.06)


def test_a_photo_without_skin_is_left_as_it_is(head, vertices):  # noqa: F811
    pose = turned(0)
    pose.translation_m = np.array([2.0, 0.0, -0.9], np.float32)
    photo = np.full((64, 64, 3), 40, np.uint8)
    plain, flat = (unproject(photo, pose, vertices, head, SIZE, delight=d).texture for d in (False, True))
    assert cv2.absdiff(plain, flat).max() == 0


def test_a_shadow_that_harmonics_cannot_follow_is_evened_out(head, vertices, atlas):
    prior, texture, pose = load_appearance(SIZE, len(head.uv)), person(head, atlas, symmetric=True), turned(0)
    photo = photograph(head, vertices, texture, pose).astype(np.float32)
    shadow = np.zeros((PHOTO, PHOTO), np.float32)
    shadow[200:330, PHOTO // 2 + 30 : PHOTO // 2 + 80] = 1
    photo *= 1 - 0.3 * cv2.GaussianBlur(shadow, (0, 0), 6)[..., None]
    left, right = cheeks(atlas, prior)
    plain, flat = (unproject(photo.astype(np.uint8), pose, vertices, head, SIZE, delight=d).texture for d in (False, True))
    before, after = (abs(np.log(brightness(t)[left].mean() / brightness(t)[right].mean())) for t in (plain, flat))
    assert before > 0.2 and after < 0.35 * before
