"""Teeth in the colour of the photo's, and lips on which the photo put teeth.

A fit that is a millimetre off shows the photo's teeth on the lips and its lips on the teeth. What belongs to which is told by
colour; the gaps between teeth are the model's own, as two rows of them, a little apart, would be no teeth at all.
"""

from __future__ import annotations

import cv2
import numpy as np

from facerecon.reconstruction.appearance import Appearance
from facerecon.reconstruction.texture_atlas import TextureAtlas
from facerecon.reconstruction.texture_projection import PhotoTexels, ramp
from facerecon.reconstruction.texture_tone import Tone

SEEN = (0.1, 0.4)
"""Ramp of a texel's trust over which the photo counts on teeth."""
FEWEST_TEXELS = 60
"""Of a texture of 1024: fewer tell nothing of the colour of teeth."""
DARKEST, LIGHTEST = 35.0, 93.0
"""Lab L of teeth in photos."""
REDDEST = 0.35
"""Lab a of teeth, of the skin's: what is redder has some lip in it."""
ADAPTATION = 0.7
"""Few people's teeth are as dark as a dark skin's light would have them."""
GAP = 0.62
"""Brightness of a tooth where it turns to its neighbour, of that in front: the light that is missing there."""
HALO = 4
"""Texels of a texture of 1024 about such a texel whose colour is half of its."""
PALER, LESS_RED, DARKER = (8.0, 15.0), (3.0, 8.0), (16.0, 28.0)
"""Ramps of differences from the lips' colour over which a texel on the lips is taken for a tooth, and for the open mouth."""


def paint_teeth(lab: np.ndarray, texels: PhotoTexels, atlas: TextureAtlas, prior: Appearance, tone: Tone) -> None:
    """Paints the crowns of the teeth into the texture (S, S, 3) Lab, in place."""
    place = atlas.crown > 0
    crown, facing = atlas.crown[place], atlas.tooth_facing[place]
    front = prior.lab[(atlas.crown >= 1) & (atlas.tooth_facing >= 1)]
    usual = np.percentile(front[:, 0], 90), *np.median(front[:, 1:], axis=0)  # its own shade is painted anew
    usual = np.array(usual) * (np.clip(tone.light, 0.35, 1.08) ** ADAPTATION, tone.chroma, tone.chroma)
    seen, trust = texels.lab[place], ramp(texels.trust[place], *SEEN) * ramp(crown, 0.3, 0.7)
    colour = _colour(seen[trust > 0.5], usual, tone, FEWEST_TEXELS * (atlas.size / 1024) ** 2)
    painted = np.tile(colour.astype(np.float32), (len(crown), 1))
    painted[:, 0] *= GAP + (1 - GAP) * facing
    lab[place] += crown[:, None] * (painted - lab[place])


def _colour(seen: np.ndarray, usual: np.ndarray, tone: Tone, fewest: float) -> np.ndarray:
    """Lab (3,) of the teeth: of what the photo shows there (N, 3) the brighter half, as far as it can be teeth."""
    pale = seen[(seen[:, 1] < tone.skin[1] - 2) & (seen[:, 0] > DARKEST)]
    if len(pale) < fewest:
        return usual
    colour = np.median(pale[pale[:, 0] >= np.median(pale[:, 0])], axis=0)
    colour[:2] = min(colour[0], LIGHTEST), min(colour[1], REDDEST * tone.skin[1])
    belief = min(len(pale) / (2 * fewest), 1.0)
    return usual + belief * (colour - usual)


def off_lips(texels: PhotoTexels, atlas: TextureAtlas) -> np.ndarray:
    """(S, S) in [0, 1], how surely a texel of the lips shows teeth or the open mouth."""
    lips = atlas.masks["lips"]
    middle = texels.lab[(lips > 0.9) & (texels.trust > 0.5)]
    if len(middle) < FEWEST_TEXELS * (atlas.size / 1024) ** 2:
        return np.zeros_like(lips)
    colour = np.median(middle, axis=0)
    brighter, redder = texels.lab[..., 0] - colour[0], texels.lab[..., 1] - colour[1]
    tooth = ramp(brighter, *PALER) * ramp(-redder, *LESS_RED)
    wrong = (lips * np.maximum(tooth, ramp(-brighter, *DARKER))).astype(np.float32)
    reach = max(round(HALO * atlas.size / 1024), 1)
    return cv2.blur(cv2.dilate(wrong, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)), (reach, reach)) * lips
