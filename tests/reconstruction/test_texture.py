"""The texture taken from a photo, on pictures drawn of the shipped head."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facerecon.faces.masks import CLASSES, FaceMasks
from facerecon.head.hair import DIRECTIONS, grow_hair, hair_cover
from facerecon.head.hanging_hair import HEIGHTS_M
from facerecon.reconstruction.appearance import AppearanceError, load_appearance
from facerecon.reconstruction.texture import unproject
from facerecon.reconstruction.texture_atlas import atlas_of
from facerecon.reconstruction.texture_completion import accept
from facerecon.reconstruction.texture_projection import project_photo
from facerecon.reconstruction.texture_seams import components
from facerecon.reconstruction.texture_tone import FEWEST_TEXELS, measure_tone
from facerecon.rendering.pictures import render_head, vertices_in_camera
from facerecon.types import Demographics, HeadParameters

SIZE, PHOTO = 512, 480
BACKGROUND = (90, 110, 140)


@pytest.fixture(scope="module")
def vertices(head):
    return head.vertices()[0].numpy()


@pytest.fixture(scope="module")
def atlas(head):
    return atlas_of(head, SIZE)


def turned(degrees: float) -> HeadParameters:
    """The head before the camera, its face in the middle, turned to its own left."""
    angle = np.radians(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]], np.float32)
    return HeadParameters(
        identity=np.zeros(80, np.float32),
        expression=np.zeros(52, np.float32),
        demographics=Demographics(),
        rotation=rotation,
        translation_m=np.array([0, 0.03, -0.9], np.float32),
        focal_px=PHOTO * 2.6,
        principal_point=np.array([PHOTO / 2, PHOTO / 2], np.float32),
        lighting=np.zeros((9, 3), np.float32),
    )


def person(head, atlas, symmetric: bool = False, iris=(34.0, 6.0, 12.0)) -> np.ndarray:
    """A texture (S, S, 3) unlike the mean skin: paler, patched, with marks a few millimetres wide."""
    prior = load_appearance(SIZE, len(head.uv))
    place = atlas.spread(atlas.template)
    x = np.abs(place[..., 0]) if symmetric else place[..., 0]
    lab = prior.lab.copy()
    lab[..., 0] += 6 * np.sin(300 * x) * np.sin(260 * place[..., 1]) + 5
    lab[..., 1] += 5 * np.sin(170 * x + 1)
    lab += prior.iris[..., None] * (np.array(iris, np.float32) - lab)
    rgb = np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1)
    return atlas.pad((rgb * 255).astype(np.uint8))


def photograph(head, vertices, texture, parameters, background=BACKGROUND) -> np.ndarray:
    return render_head(
        vertices_in_camera(vertices, parameters), head, PHOTO, parameters.focal_px, parameters.principal_point,
        texture=texture, background=background,
    )


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    error = ((first.astype(float) - second.astype(float)) ** 2).mean()
    return 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("yaw", [0, 30])
def test_visible_texels_are_the_photos(head, vertices, atlas, yaw):
    texture, pose = person(head, atlas), turned(yaw)
    result = unproject(photograph(head, vertices, texture, pose), pose, vertices, head, SIZE)
    seen = result.visibility > 230
    assert seen.sum() > 0.2 * (atlas.masks["face"] > 0.9).sum()
    assert psnr(result.texture[seen], texture[seen]) > 28


def test_shade_at_the_rim_of_the_face_does_not_stay_on_the_cheek(head, vertices, atlas):
    pose, plain = turned(0), person(head, atlas, symmetric=True)
    rim = (np.abs(atlas.spread(atlas.template)[..., 0]) > 0.055) & (atlas.masks["face"] > 0.9)
    shaded = np.where(rim[..., None], (0.6 * plain).astype(np.uint8), plain)
    found = [unproject(photograph(head, vertices, t, pose), pose, vertices, head, SIZE).texture.astype(float) for t in (plain, shaded)]
    change, wanted = (np.abs(a - b).mean(2)[rim].mean() for a, b in (found, (plain.astype(float), shaded)))
    assert change < 0.16 * wanted  # a quarter, were skin trusted as the scalp is


def test_skin_that_turns_from_the_lens_is_as_bright_as_the_front_and_keeps_its_marks(head, vertices, atlas):
    pose, plain = turned(0), person(head, atlas, symmetric=True)
    facing = project_photo(photograph(head, vertices, plain, pose), pose, vertices, atlas).facing
    falling = (plain * (0.5 + 0.5 * np.clip(facing / 0.9, 0, 1))[..., None]).astype(np.uint8)  # as under a lamp beside the camera
    found = [unproject(photograph(head, vertices, t, pose), pose, vertices, head, SIZE) for t in (plain, falling)]
    rim = (facing > 0.5) & (facing < 0.65) & (atlas.masks["face"] > 0.9) & (found[1].visibility > 150)
    front = (facing > 0.9) & (atlas.masks["face"] > 0.9) & (found[1].visibility > 150)
    assert rim.sum() > 200
    grey = [result.texture.mean(2) for result in found]
    darker = [1 - (g[rim].mean() / g[front].mean()) / (plain.mean(2)[rim].mean() / plain.mean(2)[front].mean()) for g in (grey[1], falling.mean(2))]
    assert darker[1] > 0.15 and darker[0] < 0.75 * darker[1]
    fine = [(g - cv2.GaussianBlur(g, (0, 0), 3))[rim] for g in grey]
    assert np.corrcoef(*fine)[0, 1] > 0.7


def test_the_hidden_side_is_the_mirror_image_of_the_seen_one(head, vertices, atlas):
    texture, pose = person(head, atlas, symmetric=True), turned(45)
    result = unproject(photograph(head, vertices, texture, pose), pose, vertices, head, SIZE)
    mirrored = atlas.flip(cv2.merge([result.visibility] * 3))[..., 0] > 200
    hidden = (result.visibility < 20) & mirrored & (atlas.masks["face"] > 0.9)
    assert hidden.sum() > 1500
    assert psnr(result.texture[hidden], texture[hidden]) > 26


def test_both_sides_of_a_seam_agree(head, vertices, atlas):
    pose = turned(20)
    result = unproject(photograph(head, vertices, person(head, atlas), pose), pose, vertices, head, SIZE)
    place = np.round(atlas.seams.pairs).astype(int)
    on_skin = atlas.skin[place[..., 1], place[..., 0]].all(1)
    step = np.abs(atlas.seams.mismatch(result.texture.astype(np.float32)))[on_skin]
    assert on_skin.sum() > 500
    assert np.percentile(step, 95) <= 8


def test_parts_of_a_mesh_that_share_no_vertex_are_apart():
    part = components(np.array([[0, 1, 2], [3, 2, 4], [5, 6, 7]]), 9)
    assert len(set(part[:5])) == 1 and len(set(part[5:8])) == 1 and len(set(part)) == 3


def test_charts_are_padded_against_bleeding(head, vertices, atlas):
    pose = turned(0)
    texture = unproject(photograph(head, vertices, person(head, atlas), pose), pose, vertices, head, SIZE).texture
    outside = (~atlas.inside).astype(np.uint8)
    ring = (cv2.distanceTransform(outside, cv2.DIST_L2, 5) <= 4) & ~atlas.inside
    # Every texel of the border repeats a colour found inside a chart close by.
    kernel = np.ones((13, 13), np.uint8)
    for channel in cv2.split(texture):
        highest = cv2.dilate(np.where(atlas.inside, channel, 0).astype(np.uint8), kernel)
        lowest = cv2.erode(np.where(atlas.inside, channel, 255).astype(np.uint8), kernel)
        assert (channel[ring] <= highest[ring]).all() and (channel[ring] >= lowest[ring]).all()


def test_a_grey_photo_gives_a_grey_head(head, vertices, atlas):
    pose = turned(0)
    photo = cv2.cvtColor(photograph(head, vertices, person(head, atlas), pose), cv2.COLOR_RGB2GRAY)
    result = unproject(cv2.merge([photo] * 3), pose, vertices, head, SIZE)
    chroma = np.ptp(result.texture[atlas.inside].astype(int), axis=-1)
    assert np.percentile(chroma, 99) <= 8


def test_a_dark_photo_gives_a_dark_neck(head, vertices, atlas):
    pose = turned(0)
    photo = photograph(head, vertices, person(head, atlas), pose)
    neck = atlas.masks["neck"] > 0.99
    light, dark = (unproject(p, pose, vertices, head, SIZE) for p in (photo, photo // 4))
    ratio = dark.texture[neck].mean() / light.texture[neck].mean()
    assert 0.15 < ratio < 0.4


def test_what_lies_outside_the_photo_is_completed(head, vertices, atlas):
    pose = turned(0)
    whole = photograph(head, vertices, person(head, atlas), pose)
    half = whole[:, : PHOTO // 2]
    result = unproject(np.ascontiguousarray(half), pose, vertices, head, SIZE)
    left = atlas.spread(atlas.template)[..., 0] > 0.02
    face = atlas.masks["face"] > 0.9
    assert result.visibility[left & atlas.skin].max() == 0
    brightness = result.texture.mean(-1)
    assert brightness[left & face].mean() == pytest.approx(brightness[~left & face].mean(), rel=0.08)


def test_a_head_outside_the_photo_still_gets_a_skin(head, vertices, atlas):
    pose = turned(0)
    pose.translation_m = np.array([2.0, 0.0, -0.9], np.float32)
    result = unproject(np.zeros((64, 64, 3), np.uint8), pose, vertices, head, SIZE)
    assert result.visibility.max() == 0
    assert 90 < result.texture[atlas.masks["face"] > 0.9].mean() < 230


def test_background_does_not_leak_onto_a_badly_fitted_head(head, vertices, atlas):
    pose = turned(15)
    photo = photograph(head, vertices, person(head, atlas), pose, background=(20, 200, 40))
    result = unproject(photo, pose, (vertices * 1.06).astype(np.float32), head, SIZE)
    colour = result.texture[atlas.skin].astype(int)
    green = colour[:, 1] > colour[:, 0] + 15
    assert green.mean() < 0.002


def test_the_iris_has_the_photos_colour(head, vertices, atlas):
    pose = turned(0)
    prior = load_appearance(SIZE, len(head.uv))
    ring = (prior.iris > 0.9) & (prior.pupil < 0.1)
    blue, brown = (
        unproject(photograph(head, vertices, person(head, atlas, iris=iris), pose), pose, vertices, head, SIZE)
        .texture[ring].mean(0)
        for iris in ((50.0, -5.0, -28.0), (30.0, 12.0, 18.0))
    )
    assert blue[2] > blue[0] + 15
    assert brown[0] > brown[2] + 10


def test_the_iris_is_bright_where_its_pattern_is(head, vertices, atlas):
    pose, prior = turned(0), load_appearance(SIZE, len(head.uv))
    result = unproject(photograph(head, vertices, person(head, atlas), pose), pose, vertices, head, SIZE)
    ring = (prior.iris > 0.9) & (prior.pupil < 0.1)
    bright = result.texture[ring].mean(1)
    high = prior.iris_pattern[ring] > np.median(prior.iris_pattern[ring])
    assert bright[high].mean() > bright[~high].mean() + 3


def test_the_scalp_has_the_photos_hair_colour(head, vertices, atlas):
    pose, texture = turned(0), person(head, atlas)
    prior = load_appearance(SIZE, len(head.uv))
    texture[prior.hair_growth > 0.3] = (25, 18, 15)
    result = unproject(photograph(head, vertices, texture, pose), pose, vertices, head, SIZE)
    behind = (prior.hair_growth > 0.95) & (result.visibility == 0)
    assert behind.sum() > 5000
    assert np.abs(np.median(result.texture[behind], axis=0) - (25, 18, 15)).max() < 15


@pytest.fixture(scope="module")
def long_hair() -> np.ndarray:
    """Hair over the left ear and down to the shoulders, and none on the right side."""
    left, right = np.concatenate(([1.0], np.full(len(HEIGHTS_M), 0.105))), np.zeros(1 + len(HEIGHTS_M))
    return np.concatenate((np.full(DIRECTIONS, 0.01), left, right))


def test_ears_and_neck_under_hair_have_its_colour_and_bare_ones_the_skins(head, vertices, atlas, long_hair):
    hair, pose = (25, 18, 15), replace(turned(0), hair=long_hair)
    grown = grow_hair(vertices, long_hair, head)
    cover = atlas.spread(hair_cover(grown, long_hair, head)[:, None])[..., 0]
    texture, prior = person(head, atlas), load_appearance(SIZE, len(head.uv))
    texture[(cover > 0.5) | (prior.hair_growth > 0.3)] = hair
    result = unproject(photograph(head, grown, texture, pose), pose, grown, head, SIZE)
    ears, left = atlas.masks["ears"] > 0.9, atlas.spread(vertices)[..., 0] > 0
    for under, bare in ((ears & left, ears & ~left), ((atlas.masks["neck"] > 0.9) & (cover > 0.99), (atlas.masks["neck"] > 0.9) & (cover < 0.01))):
        assert np.abs(np.median(result.texture[under], axis=0) - hair).max() < 20
        assert np.abs(np.median(result.texture[bare], axis=0) - np.median(texture[bare], axis=0)).max() < 30


def test_a_bare_ear_lends_no_skin_to_the_one_under_hair(head, vertices, atlas, long_hair):
    """The photo shows the bare side alone."""
    pose = replace(turned(40), hair=long_hair)  # to its own left, which is behind then
    grown = grow_hair(vertices, long_hair, head)
    texture = person(head, atlas)
    texture[load_appearance(SIZE, len(head.uv)).hair_growth > 0.3] = (25, 18, 15)
    result = unproject(photograph(head, grown, texture, pose), pose, grown, head, SIZE)
    under = (atlas.masks["ears"] > 0.9) & (atlas.spread(vertices)[..., 0] > 0)
    assert np.median(result.texture[under].mean(1)) < 60


def test_an_atlas_under_hair_leaves_the_heads_own_as_it_is(head, atlas):
    masks, neck = {name: mask.copy() for name, mask in atlas.masks.items()}, atlas.neck_faces.copy()
    other = atlas.under_hair(np.ones(len(atlas.template), np.float32))
    assert not other.neck_faces.any() and other.masks["ears"].max() < 1e-6 and other.masks["scalp"][other.skin].min() > 0.99
    assert (atlas.neck_faces == neck).all() and all((atlas.masks[name] == mask).all() for name, mask in masks.items())


def test_a_little_pale_skin_where_the_photo_ends_is_no_white_hair_but_a_white_scalp_is(head, vertices, atlas):
    pose, prior = turned(0), load_appearance(SIZE, len(head.uv))
    texels = project_photo(photograph(head, vertices, person(head, atlas), pose), pose, vertices, atlas)
    scalp = np.argwhere(prior.hair_growth > 0.7)
    fewest = FEWEST_TEXELS * (SIZE / 1024) ** 2
    brightness = []
    for count in (0.6 * fewest, 6 * fewest):
        lab, trust, outline = texels.lab.copy(), np.where(prior.hair_growth > 0.2, 0, texels.trust).astype(np.float32), texels.outline_m.copy()
        rows, columns = scalp[:: int(len(scalp) // count)].T
        lab[rows, columns], trust[rows, columns], outline[rows, columns] = (88, 4, -2), 1, 0.05
        tone = measure_tone(replace(texels, lab=lab, trust=trust, outline_m=outline), atlas, prior)
        brightness.append(tone.hair[0] - tone.skin[0])
    assert brightness[0] < 0 < brightness[1]


def test_hair_of_the_skins_colour_is_hair_where_the_parser_says_so(head, vertices, atlas):
    """A receding hairline: hair on a part of the scalp that the photo shows makes all that it hides hairy, none leaves it bald."""
    pose, prior = turned(0), load_appearance(SIZE, len(head.uv))
    texels = project_photo(photograph(head, vertices, person(head, atlas), pose), pose, vertices, atlas)
    brown = measure_tone(texels, atlas, prior).skin * (0.93, 1, 1)
    lab = texels.lab.copy()
    lab[prior.hair_growth > 0.4] = brown
    texels = replace(texels, lab=lab)
    seen = (prior.hair_growth > 0.9) & (texels.trust > 0.9)
    shares, skin = [], []
    for lowest in (None, 0.06, 1.0):
        hair = None if lowest is None else ((prior.hair_growth > 0.4) & (atlas.height > lowest)).astype(np.float32)
        judged = replace(texels, hair=hair)
        tone = measure_tone(judged, atlas, prior)
        shares.append(tone.hair_share)
        skin.append(accept(judged, atlas, prior, tone)[1][seen].mean())
        assert lowest != 0.06 or np.abs(tone.hair - brown).max() < 2
    assert max(shares[0], shares[2]) < 0.1 and shares[1] > 0.9
    assert skin[1] < skin[0] - 0.1, "what is hair is not taken for skin"


def test_a_mean_skin_of_another_layout_is_refused(head):
    with pytest.raises(AppearanceError, match="texture layout"):
        load_appearance(SIZE, len(head.uv) + 1)


def all_of(kind: str, columns: slice = slice(None)) -> FaceMasks:
    """One class in some columns of the photo, skin in the others."""
    chances = np.zeros((len(CLASSES), PHOTO, PHOTO), np.float32)
    chances[CLASSES.index("skin")] = 1
    chances[:, :, columns] = 0
    chances[CLASSES.index(kind), :, columns] = 1
    return FaceMasks(chances, np.eye(2, 3))


def test_what_the_parser_calls_hair_is_known_of_each_texel(head, vertices, atlas):
    pose, half = turned(0), slice(PHOTO // 2, PHOTO)
    photo = photograph(head, vertices, person(head, atlas), pose)
    found = project_photo(photo, pose, vertices, atlas, all_of("hair", half))
    left = atlas.skin & (found.facing > 0.3) & (np.abs(atlas.spread(atlas.template)[..., 0]) > 0.01)
    there = atlas.spread(atlas.template)[..., 0] > 0
    assert found.hair[left & there].min() > 0.99 and found.hair[left & ~there].max() < 0.01
    assert project_photo(photo, pose, vertices, atlas).hair is None


def test_a_bald_head_with_a_few_hairs_stays_bald_and_what_looks_like_skin_tells_no_colour_of_hair(head, vertices, atlas):
    pose, prior = turned(0), load_appearance(SIZE, len(head.uv))
    texels = project_photo(photograph(head, vertices, person(head, atlas), pose), pose, vertices, atlas)
    skin = measure_tone(texels, atlas, prior).skin
    scalp = (prior.hair_growth > 0.9) & (texels.trust > 0.1)
    rows, columns = np.nonzero(scalp)
    shares, colours = [], []
    for every, dark in ((50, 1), (1, 3)):  # one texel of fifty has hair; all have, and a third of them in its colour
        lab, hair = texels.lab.copy(), np.zeros((SIZE, SIZE), np.float32)
        lab[scalp] = skin
        hair[rows[::every], columns[::every]] = 1
        lab[rows[:: every * dark], columns[:: every * dark]] = (20, 3, 4)
        judged = replace(texels, lab=lab, hair=hair, outline_m=np.full_like(texels.outline_m, 0.05))
        tone = measure_tone(judged, atlas, prior)
        shares.append(tone.hair_share)
        colours.append(tone.hair[0])
    assert shares[0] < 0.1 and shares[1] == 1
    assert max(colours) < 25


@pytest.mark.parametrize("kind, highest, most", [("other", np.inf, 40), ("hair", 0.0, 10)])
def test_a_hand_or_hair_over_one_cheek_is_replaced_by_the_other_cheek(head, vertices, atlas, kind, highest, most):
    texture, pose = person(head, atlas, symmetric=True), turned(0)
    photo = photograph(head, vertices, texture, pose)
    half = slice(PHOTO // 2 + 20, PHOTO)
    photo[:, half] = (40, 160, 60)
    plain, masked = (unproject(photo, pose, vertices, head, SIZE, masks=m) for m in (None, all_of(kind, half)))
    cheek = (atlas.masks["face"] > 0.9) & (atlas.spread(atlas.template)[..., 0] > 0.03) & (atlas.height < highest)
    far = cv2.erode(cheek.astype(np.uint8), np.ones((5, 5))) > 0
    assert psnr(masked.texture[far], texture[far]) > psnr(plain.texture[far], texture[far]) + 6
    assert masked.visibility[far].mean() < most


def test_background_never_lands_on_the_head_but_glasses_on_both_sides_stay(head, vertices, atlas):
    texture, pose = person(head, atlas), turned(0)
    photo = photograph(head, vertices, texture, pose)
    beyond = unproject(photo, pose, vertices, head, SIZE, masks=all_of("background"))
    assert beyond.visibility.max() < 20
    both = unproject(photo, pose, vertices, head, SIZE, masks=all_of("other"))
    assert both.visibility.astype(int).sum() > 0.95 * unproject(photo, pose, vertices, head, SIZE).visibility.astype(int).sum()


def test_what_the_photo_hides_is_guessed_from_what_it_shows(head, vertices, atlas, monkeypatch):
    pose = turned(0)
    photo = photograph(head, vertices, person(head, atlas), pose)[:, : PHOTO // 2 - 30].copy()
    mine = unproject(photo, pose, vertices, head, SIZE).texture.astype(int)
    monkeypatch.setattr("facerecon.reconstruction.skin_modes.load_skin_modes", lambda: None)
    mean = unproject(photo, pose, vertices, head, SIZE).texture.astype(int)
    change = np.abs(mine - mean).mean(2)
    assert change[atlas.masks["face"] > 0.9].mean() > 0.5


def test_an_eye_that_lands_on_its_lid_leaves_it_skin(head, vertices, atlas):
    texture, pose = person(head, atlas), turned(0)
    photo = photograph(head, vertices, texture, pose)
    lids, elsewhere = atlas.lids > 0.4, (atlas.masks["face"] > 0.9) & (atlas.lids < 0.05)
    plain, masked = (unproject(photo, pose, vertices, head, SIZE, masks=m) for m in (None, all_of("features")))
    assert masked.visibility[lids].max() == 0 < plain.visibility[lids].max()
    assert np.abs(masked.visibility[elsewhere].astype(int) - plain.visibility[elsewhere]).mean() < 1
