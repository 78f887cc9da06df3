"""Eyes and the mouth's inside: clean ones of the mean appearance, in the photo's colours."""

from __future__ import annotations

import numpy as np

from facerecon.reconstruction.appearance import Appearance
from facerecon.reconstruction.texture_atlas import TextureAtlas
from facerecon.reconstruction.texture_projection import PhotoTexels
from facerecon.reconstruction.texture_teeth import paint_teeth
from facerecon.reconstruction.texture_tone import Tone

BROWN = np.array([27.0, 9.0, 13.0])
"""Lab of the iris where the photo tells nothing: most people's."""
FULL_EYE_PX = 26.0
"""Width of the eye's opening in the photo, pixels, from which on its iris colour is believed."""
EYE_WIDTH_MM = 28.0
IRIS_CONTRAST = 0.16
SCLERA_ADAPTATION = 0.7
EYES = ("left_eye", "right_eye")


def iris_colour(texels: PhotoTexels, atlas: TextureAtlas, prior: Appearance, tone: Tone) -> np.ndarray:
    """Lab (3,) of the iris, mixed with brown the less the photo shows of it.

    Of the eyeballs' visible texels about the gaze axis the darker half is iris;
    the darkest of it pupil and shade of the lids, the lightest reflections.
    """
    brown = BROWN * (tone.light, tone.chroma, tone.chroma)
    eyes = np.isin(atlas.material, [atlas.material_labels.index(name) for name in EYES])
    visible = texels.lab[eyes & (prior.iris > 0.5) & (texels.trust > 0.4)]
    if len(visible) < 40 * (atlas.size / 1024) ** 2:
        return brown
    low, high = np.percentile(visible[:, 0], (5, 95))
    chosen = visible[visible[:, 0] < 0.5 * (low + high)]
    ranks = np.percentile(chosen[:, 0], (35, 90))
    chosen = chosen[(chosen[:, 0] >= ranks[0]) & (chosen[:, 0] <= ranks[1])]
    belief = float(np.clip(texels.pixels_per_mm * EYE_WIDTH_MM / FULL_EYE_PX, 0, 1)) ** 2
    colour = np.median(chosen, axis=0)
    colour[0] = np.clip(colour[0], 8.0, 55.0)
    return belief * colour + (1 - belief) * brown


def paint_features(
    lab: np.ndarray, texels: PhotoTexels, atlas: TextureAtlas, prior: Appearance, tone: Tone
) -> np.ndarray:
    """Paints eyes, teeth, gums, tongue and mouth into the texture (S, S, 3) Lab, in place."""
    light = np.clip(tone.light, 0.35, 1.08)
    scale = np.array([light, tone.chroma, tone.chroma], np.float32)
    inner = atlas.inside & ~atlas.skin
    lab[inner] = prior.lab[inner] * scale
    iris = iris_colour(texels, atlas, prior, tone).astype(np.float32)
    eyes = np.isin(atlas.material, [atlas.material_labels.index(name) for name in EYES])
    # Few people's whites are as dark as a dark skin's light would have them.
    ball = prior.lab[eyes] * np.array([light**SCLERA_ADAPTATION, tone.chroma, tone.chroma], np.float32)
    painted = np.tile(iris, (len(ball), 1))
    painted[:, 0] *= np.clip(1 + IRIS_CONTRAST * prior.iris_pattern[eyes], 0.25, 1.8)
    painted *= 1 - 0.9 * prior.pupil[eyes][:, None]
    lab[eyes] = ball + prior.iris[eyes][:, None] * (painted - ball)
    paint_teeth(lab, texels, atlas, prior, tone)
    return lab
