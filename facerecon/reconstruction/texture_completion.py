"""Completes what the photo does not show, by symmetry and by a mean skin in the photo's tone.

Layers are joined as in Poisson image editing: the fill below a layer is first
moved to the layer's colours by a membrane over the head's surface, then the
layer fades into it, so that neither the layer's edge nor a seam of the texture
shows.
"""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.reconstruction.appearance import Appearance
from facerecon.reconstruction.texture_atlas import TextureAtlas
from facerecon.reconstruction.texture_projection import PhotoTexels, ramp
from facerecon.reconstruction.texture_teeth import off_lips
from facerecon.reconstruction.texture_tone import (
    HAIR_HIGH_M,
    HAIR_LOW_M,
    Tone,
    brightness_likeness,
    hair_likeness,
    hue_likeness,
)

# Ramps from 0 to 1, see ``accept`` and ``fill_skin``.
LIKE = (0.15, 0.60)
HAIR = (0.5, 0.85)
DOUBTFUL_FACING = (0.35, 0.65)
DOUBTFUL_OUTLINE_M = (0.011, 0.026)
WORSE_FACING = (-0.36, -0.15)
STEADY_FACING = (0.60, 0.90)
RIM_FACING, RIM_BREADTH = (0.50, 0.85), 8.0
"""Ramp of cosines over which the photo's broad shade comes to count in full; how broad, texels of a texture of 1024."""
MIRROR_TRUST = 0.95
"""A mirror image never counts in full: where the mean skin differs little, it softens what is copied."""
LARGEST_SHADE = np.array([25.0, 6.0, 6.0], np.float32)
SHADE_REACH, SKIN_REACH, HAIR_REACH, HAIRLINE_REACH = 14.0, 7.0, 8.0, 3.0
"""Edges of the mesh over which colour differences of a layer are carried into what lies below."""


def likeness_maps(lab: np.ndarray, tone: Tone) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Likeness to the skin's hue, to skin and to hair, (S, S) in [0, 1] each, of colours smoothed over a few texels."""
    size = len(lab)
    half = cv2.resize(lab, (size // 2, size // 2), interpolation=cv2.INTER_AREA)
    half = cv2.GaussianBlur(half, (0, 0), size / 1024)
    hue = hue_likeness(half, tone.skin, tone.spread)
    skin = hue * brightness_likeness(half, tone.skin, tone.spread)
    maps = np.stack([hue, skin, hair_likeness(half, tone.hair)], axis=-1).astype(np.float32)
    return tuple(cv2.split(cv2.resize(maps, (size, size), interpolation=cv2.INTER_LINEAR)))


def accept(texels: PhotoTexels, atlas: TextureAtlas, prior: Appearance, tone: Tone) -> tuple[np.ndarray, np.ndarray]:
    """Which texels show the head and not what hides it.

    A front view shows background beside the cheek, collars on the neck and hair
    on the ears where the fit is a little off. There a texel counts only if it
    could be skin; amid the face and on the scalp everything counts: beards,
    brows, glasses and hair belong to the picture of a person.

    Returns:
        weight (S, S) and skin likeness (S, S), both in [0, 1].
    """
    hue, skin, hair = likeness_maps(texels.lab, tone)
    if texels.hair is not None:  # fair and brown hair may have the skin's colour
        skin = skin * (1 - ramp(texels.hair, *HAIR))
    scalp = ramp(prior.hair_growth, 0.2, 0.7)
    foreign = 1 - ramp(skin, *LIKE)
    sideways = np.maximum(1 - ramp(texels.facing, *DOUBTFUL_FACING), 0.9 * atlas.masks["ears"])
    outline = 1 - ramp(texels.outline_m, *DOUBTFUL_OUTLINE_M)
    # Without a beard, what is dark beside the jaw is background or hair.
    weight = texels.trust * (1 - np.maximum(sideways, (1 - tone.beard) * outline) * (1 - scalp) * foreign)
    weight *= 1 - np.maximum(outline, scalp) * (1 - ramp(np.maximum(hue, scalp * hair), *LIKE))
    weight *= 1 - off_lips(texels, atlas)
    # Collars and shadows of the chin are no skin, and the neck's fit is the loosest.
    weight *= atlas.skin * (1 - atlas.masks["neck"])
    # Where the other side faces the camera much better, an error of the fit shows less over there.
    broad = _broad(texels.facing)
    broad_there, weight_there = cv2.split(atlas.flip(cv2.merge([broad, weight])))
    weight *= 1 - (1 - ramp(broad - broad_there, *WORSE_FACING)) * weight_there
    return weight, skin


def _broad(values: np.ndarray) -> np.ndarray:
    """Values (S, S) without what is finer than a nose."""
    size = len(values)
    small = cv2.resize(values, (size // 8, size // 8), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), 4 * size / 1024), (size, size), interpolation=cv2.INTER_LINEAR)


def add_mirror(
    lab: np.ndarray, weight: np.ndarray, likeness: np.ndarray, atlas: TextureAtlas
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fills what only the other side shows, brought to this side's light.

    Returns:
        colours (S, S, 3), weight (S, S) and skin likeness (S, S) of photo and mirror image together.
    """
    other = atlas.flip(lab)
    other_weight, other_likeness = cv2.split(atlas.flip(cv2.merge([weight, likeness])))
    other_weight *= MIRROR_TRUST * atlas.alike * atlas.skin
    # Light differs between the sides, in brightness above all; what differs more is not light but something else.
    shade = np.clip(lab - other, -LARGEST_SHADE, LARGEST_SHADE)
    shade, known = atlas.gather(shade, (np.minimum(weight, other_weight) * likeness * other_likeness) ** 2)
    other += atlas.spread(atlas.graph.membrane(shade, known, reach=SHADE_REACH, stiffness=1.0))
    share = (1 - weight) * other_weight
    total = weight + share
    other -= lab
    other *= (share / np.maximum(total, 1e-6))[..., None]
    other += lab
    return other, total, np.where(weight > share, likeness, other_likeness)


def fill_skin(
    lab: np.ndarray, weight: np.ndarray, likeness: np.ndarray, facing: np.ndarray,
    atlas: TextureAtlas, prior: Appearance, tone: Tone,
) -> np.ndarray:
    """The mean skin, (S, S, 3), in the photo's tone and meeting its colours where they end."""
    scale = np.array([tone.light, tone.chroma, tone.chroma], np.float32)
    matched = (prior.lab - tone.prior).astype(np.result_type(tone.skin, prior.lab, scale), copy=False)
    matched *= scale
    matched += tone.skin
    difference, known = atlas.gather(lab - matched, weight * likeness**2 * ramp(facing, *STEADY_FACING))
    matched += atlas.spread(atlas.graph.membrane(difference, known, reach=SKIN_REACH))
    matched[..., 0] += tone.grain * prior.pores
    return matched


def level_rim(lab: np.ndarray, skin: np.ndarray, bare: np.ndarray, facing: np.ndarray) -> np.ndarray:
    """Colours (S, S, 3), in place, whose broad shade goes over into the completed skin's where the face turns from the lens.

    Cheeks grow darker there, as light falls from where one looks at a face; seen from the side, that is a stripe down the cheek.
    Marks and pores stay, and so does what is no bare skin, such as a beard.

    Args:
        skin: (S, S, 3) what the completion has there.
        bare: (S, S) in [0, 1], how surely a texel shows bare skin of the face.
        facing: (S, S) cosine between normal and line of sight.
    """
    small = (len(lab) // 8,) * 2
    shrink = lambda values: cv2.resize(values, small, interpolation=cv2.INTER_AREA)  # noqa: E731
    weight = shrink(bare.astype(np.float32))[..., None]
    sums = np.concatenate((np.clip(shrink(skin) - shrink(lab), -LARGEST_SHADE, LARGEST_SHADE) * weight, weight), axis=2)
    sums = cv2.GaussianBlur(sums.astype(np.float32), (0, 0), RIM_BREADTH * len(lab) / 1024 / 8)
    aside = 1 - ramp(shrink(facing), *RIM_FACING)
    shade = sums[..., :3] / np.maximum(sums[..., 3:], 1e-3) * (weight * aside[..., None])
    lab += cv2.resize(shade, lab.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return lab


def fill_hair(
    lab: np.ndarray, weight: np.ndarray, likeness: np.ndarray, atlas: TextureAtlas, prior: Appearance, tone: Tone
) -> tuple[np.ndarray, np.ndarray]:
    """Hair of the photo's colour, (S, S, 3), and how much of it covers each texel, (S, S).

    The hairline follows the photo where it shows, and the mean one elsewhere.
    """
    zone = ramp(prior.hair_growth, 0.1, 0.5)
    strange = weight * (1 - likeness) * zone
    difference, known = atlas.gather(lab - tone.hair, strange)
    colour = tone.hair + atlas.spread(atlas.graph.membrane(difference, known, reach=HAIR_REACH))
    # Hair of the skin's own colour is stubble, or none at all.
    distinct = float(ramp(np.linalg.norm(tone.hair - tone.skin), 6.0, 22.0))
    contrast = np.clip(0.11 * colour[..., 0] + 0.8, 1.0, 6.0) * (0.15 + 0.85 * distinct)
    colour[..., 0] = np.maximum(colour[..., 0] + contrast * prior.strands, 1.0)

    growth = atlas.gather(prior.hair_growth[..., None], atlas.skin.astype(np.float32))[0]
    evidence, known = atlas.gather((1 - likeness)[..., None], weight)
    evidence[:, 0] = ramp(evidence[:, 0], 0.25, 0.75) * np.maximum(ramp(atlas.template[:, 1], HAIR_LOW_M, HAIR_HIGH_M), atlas.covered)
    # On a bald scalp the hair's colour is the scalp's: covering it keeps the scalp in one colour.
    evidence = np.maximum(evidence, (1 - tone.hair_share) * growth)
    cover = atlas.graph.membrane(evidence, known, reach=HAIRLINE_REACH, rest=growth)
    cover = np.where(growth > 0.02, cover, np.minimum(cover, 0.5))
    soft = atlas.spread(cover)[..., 0]
    return colour, ramp(soft + 0.08 * prior.strands * (soft > 0.03), 0.20, 0.60)


def complete(
    texels: PhotoTexels, atlas: TextureAtlas, prior: Appearance, tone: Tone, accepted: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The whole skin.

    Args:
        accepted: what :func:`accept` says, where that is known.

    Returns:
        Lab colours (S, S, 3) of the skin's texels, and (S, S) in [0, 1] how far each is the photo's own.
    """
    weight, likeness = accepted or accept(texels, atlas, prior, tone)
    lab, total, likeness = add_mirror(texels.lab, weight, likeness, atlas)
    facing = np.maximum(texels.facing, atlas.flip(texels.facing[..., None]))
    skin = fill_skin(lab, total, likeness, facing, atlas, prior, tone)
    lab = level_rim(lab, skin, total * likeness * atlas.masks["face"], facing)
    hair, cover = fill_hair(lab, total, likeness, atlas, prior, tone)
    # In place: pages of new pictures cost more than the arithmetic.
    for upper, share, lower in ((hair, cover, skin), (lab, total, hair)):
        upper -= lower
        upper *= share[..., None]
        upper += lower
    return lab, weight
