"""Colour statistics of the person in the photo: skin, hair, and what is neither."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facerecon.reconstruction.appearance import Appearance
from facerecon.reconstruction.texture_atlas import TextureAtlas
from facerecon.reconstruction.texture_projection import PhotoTexels, ramp

FEWEST_TEXELS = 200
"""Of a texture of 1024: fewer tell nothing of a colour."""
HAIR_LOW_M, HAIR_HIGH_M = 0.028, 0.045
"""Height above the eyes from which hair may cover the face's front."""
JAW_M, FRINGE_M = -0.075, 0.035
"""Heights: a beard covers what is below the one, a fringe what is above the other."""
BRIGHTNESS_PERCENTILE = 58.0
"""The skin's brightness, a little above the median: the face's lit parts set the impression of its tone."""
NATURAL_HAIR = (-8.0, -3.0)
"""Hair greener or bluer than these Lab a and b is background; black hair may shine blue."""
DARK_HAIR = np.array([22.0, 4.0, 6.0], np.float32)
DARK_EVIDENCE, FAIR_EVIDENCE = 0.1, 1.0
"""Of ``FEWEST_TEXELS``, how many must speak of hair; of hair fairer than the skin more, as a little of it is but skin in the sky's light."""
SURE, COVERED = (0.5, 0.9), (0.08, 0.25)
"""Ramps: of the chance of hair, over which a texel tells the hair's colour, and of its mean on the scalp that the photo shows, which
tells hair, perhaps a receding one, from a bald head."""
BLANK = 93.0
"""Brightness of paper: a scalp this white is the border of a cut-out photo."""


@dataclass(frozen=True)
class Tone:
    """Skin and hair of one photo, CIE Lab.

    Attributes:
        skin: (3,) of the face's skin, robust; ``spread`` (3,) its deviation, robust.
        prior: (3,) the same of the mean skin, over the same texels.
        chroma: colourfulness relative to the mean skin's; 0 for a grey photo.
        light: brightness relative to the mean skin's.
        hair: (3,) colour of the hair.
        hair_share: [0, 1], how surely the scalp has hair; 0 for a bald one, whose colour ``hair`` then is.
        beard: [0, 1], how much of the jaw is covered by something darker than skin.
        grain: deviation of the skin's finest brightness detail.
    """

    skin: np.ndarray
    spread: np.ndarray
    prior: np.ndarray
    chroma: float
    light: float
    hair: np.ndarray
    hair_share: float
    beard: float
    grain: float


def hue_likeness(lab: np.ndarray, skin: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """How well the hue of each colour (..., 3) fits this skin in some light, [0, 1].

    Colourfulness falls with brightness, as it does in shade and in beards.
    """
    shade = np.clip(lab[..., 0] / max(float(skin[0]), 1.0), 0.3, 1.2)
    distance = np.hypot(*((lab[..., i] - shade * skin[i]) / (2.2 * spread[i]) for i in (1, 2)))
    return np.exp(-0.5 * np.maximum(distance - 0.5, 0) ** 2)


def brightness_likeness(lab: np.ndarray, skin: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """How well the brightness of each colour (..., 3) fits this skin, [0, 1]; shade is forgiven more than glare."""
    above = lab[..., 0] - skin[0]
    beyond = np.maximum(np.abs(above) - 1.2 * spread[0], 0)
    return np.exp(-0.5 * (beyond / np.where(above < 0, 0.16 * skin[0] + 4, np.float32(9))) ** 2)


def hair_likeness(lab: np.ndarray, hair: np.ndarray) -> np.ndarray:
    """How much each colour (..., 3) could be this hair, in shade or with a sheen, [0, 1]."""
    difference = lab - hair
    distance = np.hypot(difference[..., 0] / 24, np.hypot(difference[..., 1], difference[..., 2]) / 9)
    return np.exp(-0.5 * np.maximum(distance - 0.5, 0) ** 2)


def measure_tone(texels: PhotoTexels, atlas: TextureAtlas, prior: Appearance) -> Tone:
    """Measures the photo; a face that shows too little skin is taken to have the mean skin's tone."""
    masks, fewest = atlas.masks, FEWEST_TEXELS * (atlas.size / 1024) ** 2
    bare = atlas.skin & (masks["face"] > 0.9) & (prior.hair_growth < 0.05)
    bare &= (masks["lips"] < 0.1) & (masks["eyes"] < 0.1)
    core = bare & (texels.trust > 0.5)
    if core.sum() < fewest:
        core = bare & (texels.trust > 0.1)
    if core.sum() < fewest:
        mean_skin = np.median(prior.lab[bare], axis=0)
        return Tone(mean_skin, np.full(3, 6, np.float32), mean_skin, 1.0, 1.0, DARK_HAIR, 1.0, 0.0, 0.5)
    colours = texels.lab[core][::3]
    skin = np.median(colours, axis=0)
    skin[0] = np.percentile(colours[:, 0], BRIGHTNESS_PERCENTILE)
    spread = np.maximum(1.4826 * np.median(np.abs(colours - skin), axis=0), (6, 3, 3)).astype(np.float32)
    mean_skin = np.median(prior.lab[core][::3], axis=0)
    chroma = float(np.clip(np.hypot(*skin[1:]) / np.hypot(*mean_skin[1:]), 0.0, 1.4))
    light = float(np.clip(skin[0] / mean_skin[0], 0.1, 1.3))
    hair, share = _hair(texels, atlas, prior, skin, spread)
    jaw = core & (atlas.height < JAW_M) & (texels.outline_m > 0.02)
    darkness = 1 - brightness_likeness(texels.lab[jaw], skin, spread) if jaw.any() else np.zeros(1)
    beard = float(ramp(darkness.mean(), 0.3, 0.6))
    grain = _grain(texels.lab[..., 0], core, atlas.size)
    return Tone(skin, spread, mean_skin, chroma, light, hair, share, beard, grain)


def _grain(lightness: np.ndarray, where: np.ndarray, size: int) -> float:
    """Robust deviation of the finest detail of the lightness (S, S)."""
    fine = lightness - cv2.GaussianBlur(lightness, (0, 0), 2.0 * size / 1024)
    return float(np.clip(1.4826 * np.median(np.abs(fine[where][::3])), 0.25, 1.2))


def _hair(texels: PhotoTexels, atlas: TextureAtlas, prior: Appearance, skin: np.ndarray, spread: np.ndarray):
    """Hair colour (3,), and in [0, 1] how surely it is hair and no bald scalp."""
    fewest = FEWEST_TEXELS * (atlas.size / 1024) ** 2
    visible = atlas.skin & (texels.trust > 0.1) & (texels.lab[..., 0] < BLANK)
    visible &= (prior.hair_growth > 0.6) | ((atlas.height > FRINGE_M) & (atlas.masks["face"] > 0.5))
    colours, growth = texels.lab[visible], prior.hair_growth[visible]
    strange = 1 - hue_likeness(colours, skin, spread) * brightness_likeness(colours, skin, spread)
    trust = texels.trust[visible] ** 2 * ramp(texels.outline_m[visible], 0.003, 0.016)
    if texels.hair is not None:
        weights, share = _judged_hair(texels.hair[visible], trust, strange, growth > 0.9)
        if weights.sum() > DARK_EVIDENCE * fewest:
            return _weighted_median(colours, weights), share
    # On the forehead only what is not skin can be hair, and glare is none; beside the outline it may be background.
    strange = np.where((growth > 0.6) | (colours[:, 0] < skin[0]), strange, 0)
    natural = (colours[:, 1] > NATURAL_HAIR[0]) & (
        colours[:, 2] > NATURAL_HAIR[1] - 0.4 * np.maximum(25 - colours[:, 0], 0)
    )
    weights = trust * natural
    weights *= np.where(growth > 0.6, 0.05 + strange, np.maximum(strange - 0.5, 0))
    scalp = growth > 0.9
    bald = scalp.sum() > 6 * fewest and strange[scalp].mean() < 0.2
    if weights.sum() > DARK_EVIDENCE * fewest:
        share = float(ramp(strange[scalp].mean(), 0.04, 0.2)) if bald else 1.0
        colour = _weighted_median(colours, weights)
        if colour[0] <= skin[0] or weights.sum() > FAIR_EVIDENCE * fewest:
            return colour, share
    # The photo ends below the hair: it is taken to be of the colour of the brows, the darkest of the upper face.
    brows = atlas.skin & (texels.trust > 0.5) & (atlas.masks["face"] > 0.9) & (np.abs(atlas.height - 0.02) < 0.012)
    if not brows.any():
        return DARK_HAIR, 1.0
    dark = texels.lab[brows]
    return np.median(dark[dark[:, 0] <= np.percentile(dark[:, 0], 12)], axis=0), 1.0


def _judged_hair(hair: np.ndarray, trust: np.ndarray, strange: np.ndarray, scalp: np.ndarray) -> tuple[np.ndarray, float]:
    """How much each texel (N,) tells of the hair's colour, least where it looks like skin, and how surely the scalp has hair, where
    ``hair`` (N,) was judged."""
    weights = trust * ramp(hair, *SURE) * (0.1 + strange)
    return weights, float(ramp(hair[scalp].mean(), *COVERED)) if scalp.any() else 1.0


def _weighted_median(colours: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Median (3,) of each channel of colours (N, 3)."""
    order = np.argsort(colours, axis=0)
    reached = np.cumsum(weights[order], axis=0) >= 0.5 * weights.sum()
    at = order[reached.argmax(0), np.arange(3)]
    return colours[at, np.arange(3)]
