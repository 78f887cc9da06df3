"""Colour statistics of the person in the photo: skin, hair, and what is neither."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facerecon.reconstruction.appearance import Appearance
from facerecon.reconstruction.texture_atlas import TextureAtlas
from facerecon.reconstruction.texture_projection import PhotoTexels, ramp

FEWEST_TEXELS = 200
HAIR_LOW_M, HAIR_HIGH_M = 0.028, 0.045
"""Height above the eyes from which hair may cover the face's front."""
JAW_M = -0.075
BLANK = 93.0
"""Brightness of paper: a scalp this white is the border of a cut-out photo."""


@dataclass(frozen=True)
class Tone:
    """Skin and hair of one photo, CIE Lab.

    Attributes:
        skin: (3,) median of the face's skin; ``spread`` (3,) its deviation, robust.
        prior: (3,) the same of the mean skin, over the same texels.
        chroma: colourfulness relative to the mean skin's; 0 for a grey photo.
        light: brightness relative to the mean skin's.
        hair: (3,) colour of the hair.
        hair_share: [0, 1], how much of the visible scalp is hair.
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
    expected = np.clip(lab[..., :1] / max(float(skin[0]), 1.0), 0.3, 1.2) * skin[1:]
    distance = np.linalg.norm((lab[..., 1:] - expected) / (2.2 * spread[1:]), axis=-1)
    return np.exp(-0.5 * np.maximum(distance - 0.5, 0) ** 2)


def brightness_likeness(lab: np.ndarray, skin: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """How well the brightness of each colour (..., 3) fits this skin, [0, 1]; shade is forgiven more than glare."""
    darker = np.maximum(skin[0] - lab[..., 0] - 1.2 * spread[0], 0) / (0.16 * skin[0] + 4)
    lighter = np.maximum(lab[..., 0] - skin[0] - 1.2 * spread[0], 0) / 9
    return np.exp(-0.5 * (darker**2 + lighter**2))


def skin_likeness(lab: np.ndarray, skin: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """How much each colour (..., 3) could be this skin, [0, 1]."""
    return hue_likeness(lab, skin, spread) * brightness_likeness(lab, skin, spread)


def hair_likeness(lab: np.ndarray, hair: np.ndarray) -> np.ndarray:
    """How much each colour (..., 3) could be this hair, in shade or with a sheen, [0, 1]."""
    difference = (lab - hair) / (24.0, 9.0, 9.0)
    return np.exp(-0.5 * np.maximum(np.linalg.norm(difference, axis=-1) - 0.5, 0) ** 2)


def measure_tone(texels: PhotoTexels, atlas: TextureAtlas, prior: Appearance) -> Tone:
    """Measures the photo; a face that shows too little skin is taken to have the mean skin's tone."""
    masks = atlas.masks
    core = atlas.skin & (texels.trust > 0.5) & (masks["face"] > 0.9) & (masks["lips"] < 0.1) & (masks["eyes"] < 0.1)
    core &= prior.hair_growth < 0.05
    if core.sum() < FEWEST_TEXELS * (atlas.size / 1024) ** 2:
        core = atlas.skin & (texels.trust > 0.1)
    mean_skin = np.median(prior.lab[atlas.skin & (masks["face"] > 0.9) & (prior.hair_growth < 0.05)], axis=0)
    if not core.any():
        return Tone(mean_skin, np.full(3, 6.0), mean_skin, 1.0, 1.0, np.array([22.0, 4.0, 6.0]), 1.0, 0.0, 0.5)
    colours = texels.lab[core][::3]
    skin = np.median(colours, axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(colours - skin), axis=0), (6.0, 3.0, 3.0))
    mean_skin = np.median(prior.lab[core][::3], axis=0)
    chroma = float(np.clip(np.hypot(*skin[1:]) / np.hypot(*mean_skin[1:]), 0.0, 1.4))
    light = float(np.clip(skin[0] / mean_skin[0], 0.1, 1.3))
    hair, share = _hair(texels, atlas, prior, skin, spread)
    fine = texels.lab[..., 0] - cv2.GaussianBlur(texels.lab[..., 0], (0, 0), 2.0 * atlas.size / 1024)
    grain = 1.4826 * float(np.median(np.abs(fine[core])))
    jaw = core & (atlas.height < JAW_M) & (texels.outline_m > 0.02)
    darkness = 1 - brightness_likeness(texels.lab[jaw], skin, spread) if jaw.any() else np.zeros(1)
    beard = float(ramp(darkness.mean(), 0.3, 0.6))
    return Tone(skin, spread, mean_skin, chroma, light, hair, share, beard, float(np.clip(grain, 0.25, 1.2)))


def _hair(texels: PhotoTexels, atlas: TextureAtlas, prior: Appearance, skin: np.ndarray, spread: np.ndarray):
    """Hair colour (3,) and the share of the visible scalp that is hair."""
    scalp = atlas.skin & (prior.hair_growth > 0.6)
    visible = scalp & (texels.trust > 0.1) & (texels.lab[..., 0] < BLANK)
    if visible.sum() >= FEWEST_TEXELS * (atlas.size / 1024) ** 2:
        colours = texels.lab[visible][::2]
        strange = 1 - skin_likeness(colours, skin, spread)
        share = float(ramp(strange.mean(), 0.06, 0.25))
        weights = (0.15 + strange) * texels.trust[visible][::2] * prior.hair_growth[visible][::2] ** 4
        return _weighted_median(colours, weights), share
    # No scalp in the photo: hair is taken to be of the colour of the brows, the darkest of the upper face.
    brows = atlas.skin & (texels.trust > 0.5) & (atlas.masks["face"] > 0.9) & (np.abs(atlas.height - 0.02) < 0.012)
    if not brows.any():
        return np.array([22.0, 4.0, 6.0]) * (1, skin[1] != 0, 1), 1.0
    dark = texels.lab[brows]
    return np.median(dark[dark[:, 0] <= np.percentile(dark[:, 0], 12)], axis=0), 1.0


def _weighted_median(colours: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Median (3,) of each channel of colours (N, 3)."""
    order = np.argsort(colours, axis=0)
    reached = np.cumsum(weights[order], axis=0) >= 0.5 * weights.sum()
    at = order[reached.argmax(0), np.arange(3)]
    return colours[at, np.arange(3)]
