"""The photo as a texture of the head: ``unproject``."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from facerecon.faces.masks import FaceMasks
from facerecon.head import HeadModel
from facerecon.head.hair import hair_cover
from facerecon.reconstruction.appearance import load_appearance
from facerecon.reconstruction.delight import remove_light
from facerecon.reconstruction.skin_modes import personal
from facerecon.reconstruction.texture_atlas import atlas_of
from facerecon.reconstruction.texture_completion import accept, complete
from facerecon.reconstruction.texture_features import paint_features
from facerecon.reconstruction.texture_projection import PhotoTexels, project_photo
from facerecon.reconstruction.texture_tone import Tone, measure_tone
from facerecon.types import HeadParameters, Image


@dataclass(frozen=True)
class TextureResult:
    """A whole texture.

    Attributes:
        texture: (S, S, 3) uint8 sRGB base colour in ``head.uv``, charts padded against bleeding.
        visibility: (S, S) uint8, 255 where the texel is the photo's own colour, 0 where it was completed.
        texels, tone: what the photo showed, in its own light.
    """

    texture: Image
    visibility: np.ndarray
    texels: PhotoTexels
    tone: Tone


def unproject(
    photo: Image,
    parameters: HeadParameters,
    vertices: np.ndarray,
    head: HeadModel,
    size: int = 1024,
    delight: bool = False,
    masks: FaceMasks | None = None,
) -> TextureResult:
    """Takes the head's texture from a photo and completes what it does not show.

    The photo's light stays in the texture unless ``delight`` takes it out. What one side hides comes from the
    other side, what both hide from a mean skin in the photo's tone (and, with ``weights/skin``, as varied as
    this face is), the scalp's
    hair in the colour of the photo's; eyes (iris in the photo's colour) and the
    inside of the mouth are painted anew.

    Args:
        photo: (H, W, 3) uint8.
        parameters: pose and camera of the head in the photo.
        vertices: (V, 3) float32 metres, head frame, with expression.
        head: the head model the vertices belong to.
        size: side of the texture, texels.
        delight: give a base colour without the photo's light and shade, see ``delight.remove_light``.
        masks: what the photo shows around the face, where that was judged.

    Raises:
        AppearanceError: the mean skin is missing or belongs to another head.
    """
    atlas = atlas_of(head, size)
    prior = load_appearance(size, len(head.uv))
    cover = hair_cover(vertices, parameters.hair, head)
    if cover is not None:
        atlas = atlas.under_hair(cover)
        prior = replace(prior, hair_growth=np.maximum(prior.hair_growth, atlas.spread(cover[:, None])[..., 0]))
    shown = texels = project_photo(photo, parameters, np.asarray(vertices, np.float32), atlas, masks)
    lit = tone = measure_tone(texels, atlas, prior)
    if delight:
        texels = remove_light(texels, parameters, vertices, atlas, prior)
        # Hair keeps the photo's light, and so its colour is what it was.
        tone = measure_tone(texels, atlas, prior)
        tone = replace(tone, hair=lit.hair, hair_share=lit.hair_share)
    accepted = accept(texels, atlas, prior, tone)
    lab, seen = complete(texels, atlas, personal(prior, texels, accepted, atlas, tone), tone, accepted)
    paint_features(lab, texels, atlas, prior, tone)
    lab = atlas.pad(atlas.seams.heal(lab.astype(np.float32)))
    lab[..., 0] = np.clip(lab[..., 0], 0, 100)
    rgb = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)
    return TextureResult((rgb * 255 + 0.5).astype(np.uint8), (seen * 255 + 0.5).astype(np.uint8), shown, lit)
