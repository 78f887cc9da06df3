"""The photo's light taken out of what the photo shows of the skin.

Shading is fitted as second-order spherical harmonics (Ramamoorthi and Hanrahan 2001) over
the reconstructed normals: what the encoder says of the light is the start, and the photo's
own skin, compared with a mean skin, corrects it. What harmonics cannot follow, such as the
shadow of the nose, differs between the two sides of the face; that is evened out at a
coarse scale, so that marks and freckles of one side stay.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch

from facerecon.reconstruction.appearance import Appearance
from facerecon.reconstruction.texture_atlas import TextureAtlas
from facerecon.reconstruction.texture_projection import PhotoTexels, ramp
from facerecon.rendering import mesh_normals
from facerecon.rendering.shading import linear_to_srgb, sh_basis, srgb_to_linear
from facerecon.types import HeadParameters

DARKEST, BRIGHTEST = 0.25, 1.8
"""Shades, relative to the reference, beyond which nothing more is evened out."""
LARGEST_CAST = 1.6
"""Colour of the light in one direction, relative to the reference's, by channel."""
NOISY_GAIN, LOST = (1.6, 3.2), (0.10, 0.35)
"""Ramps: gains over which colour gives way to the skin's, shades over which a texel begins to count."""
HAIR = (0.08, 0.45)
REFERENCE_PERCENTILE = 65.0
"""Of all shades on the face, this percentile becomes 1."""
TONE_PERCENTILE = 58.0
"""Of the photo's brightness on the face: the brightness of the even skin."""
PRIOR_PULL = 0.04
"""How strongly the fit holds to the encoder's light, relative to the photo's evidence."""
OUTLIER = 0.25
"""Ratio to the fitted shade beyond which skin counts less: hair, highlights, cast shadows."""
BRIGHTER_THAN_MEAN = 1.18
ROUNDS = 6
ASYMMETRY_REACH, ASYMMETRY_STIFFNESS = 6.0, 2.0
LARGEST_ASYMMETRY = 1.2  # log of a ratio between the sides
FEWEST_TEXELS = 400  # of a texture of 1024


def remove_light(
    texels: PhotoTexels, parameters: HeadParameters, vertices: np.ndarray, atlas: TextureAtlas, prior: Appearance
) -> PhotoTexels:
    """The photo's texels as they would look in an even light of the same strength.

    A face that shows too little skin is returned as it is.

    Args:
        vertices: (V, 3) metres, head frame, with expression.
    """
    basis = _basis(vertices, parameters, atlas)
    colour, albedo = _linear(texels.lab), _linear(prior.lab)
    light = _fit_light(colour, albedo, basis, texels, parameters, atlas, prior)
    if light is None:
        return texels
    weight = _skin_weight(texels, atlas, prior)
    shade = basis @ light
    shade /= _reference(shade, weight)
    strength = np.maximum(shade.mean(-1), 1e-3)
    # Hair stands away from the head: its light is not that of the skin below.
    bare = 1 - ramp(prior.hair_growth, *HAIR)
    cast = np.clip(shade / strength[..., None], 1 / LARGEST_CAST, LARGEST_CAST)
    shade = 1 + (np.clip(strength, DARKEST, BRIGHTEST)[..., None] * cast - 1) * bare[..., None]
    flat, expected = _divide(colour, shade, albedo, weight)
    flat *= _even_sides(flat, texels, atlas, prior)[..., None]
    flat *= _level(colour, weight, TONE_PERCENTILE) / max(_level(flat, weight, 50), 1e-4)
    lab, skin = (cv2.cvtColor(_encoded(values), cv2.COLOR_RGB2LAB) for values in (flat, expected))
    # Deep shade holds noise in place of colour, and at last nothing: there the other side is asked.
    guess = (ramp(1 / strength, *NOISY_GAIN) * bare * atlas.skin)[..., None]
    lab[..., 1:] += guess * (skin[..., 1:] - lab[..., 1:])
    trust = texels.trust * (1 - (1 - ramp(strength, *LOST)) * bare)
    return replace(texels, lab=lab, trust=trust.astype(np.float32))


def _level(linear: np.ndarray, weight: np.ndarray, percentile: float) -> float:
    """A percentile of the brightness of bare skin."""
    return float(np.percentile(linear[_sure(weight)].mean(-1), percentile))


def _sure(weight: np.ndarray) -> np.ndarray:
    """The texels (S, S) that tell most of the skin."""
    return weight > 0.5 if (weight > 0.5).any() else weight > 0.2


def _basis(vertices: np.ndarray, parameters: HeadParameters, atlas: TextureAtlas) -> np.ndarray:
    """Spherical harmonics (S, S, 9) float32 of each texel's normal in the camera's frame."""
    normals = mesh_normals(np.asarray(vertices, np.float32), atlas.faces) @ np.asarray(parameters.rotation).T
    spread = atlas.spread(normals)
    spread /= np.maximum(np.linalg.norm(spread, axis=-1, keepdims=True), 1e-6)
    return sh_basis(torch.from_numpy(spread)).numpy()


def _linear(lab: np.ndarray) -> np.ndarray:
    rgb = np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1)
    return srgb_to_linear(torch.from_numpy(rgb)).numpy()


def _encoded(linear: np.ndarray) -> np.ndarray:
    return linear_to_srgb(torch.from_numpy(np.ascontiguousarray(linear, np.float32))).clamp(0, 1).numpy()


def _skin_weight(texels: PhotoTexels, atlas: TextureAtlas, prior: Appearance) -> np.ndarray:
    """How much each texel (S, S) tells of the light: bare skin of the face that the photo shows."""
    masks = atlas.masks
    bare = masks["face"] * (1 - masks["lips"]) * (1 - masks["eyes"]) * (1 - ramp(prior.hair_growth, 0.02, 0.2))
    return np.where(atlas.skin, bare * texels.trust, 0)


def _fit_light(
    colour: np.ndarray, albedo: np.ndarray, basis: np.ndarray, texels: PhotoTexels, parameters: HeadParameters,
    atlas: TextureAtlas, prior: Appearance,
) -> np.ndarray | None:  # fmt: skip
    """Light times skin tone, (9, 3): robust least squares of photo over mean skin, or None without skin."""
    weight = _skin_weight(texels, atlas, prior)
    rows = np.flatnonzero(weight.ravel() > 0.2)
    if len(rows) < FEWEST_TEXELS * (atlas.size / 1024) ** 2:
        return None
    rows = rows[:: max(len(rows) // 8000, 1)]
    b, w = basis.reshape(-1, 9)[rows], weight.ravel()[rows]
    ratio = colour.reshape(-1, 3)[rows] / np.maximum(albedo.reshape(-1, 3)[rows], 0.02)
    return robust_light(ratio, b, w, np.asarray(parameters.lighting, np.float64))


def robust_light(ratio: np.ndarray, basis: np.ndarray, weight: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Light times skin tone, (9, C), that explains how bright surfaces are; outliers count less.

    Args:
        ratio: (N, C) linear colour over albedo.
        basis: (N, 9) spherical harmonics of the normals.
        weight: (N,) how much each counts.
        start: (9, C) light of any strength that is held to where the surfaces tell little.
    """
    b, w = basis.astype(np.float64), weight.astype(np.float64)
    # The start has a strength of its own: it is brought to this photo's, channel by channel.
    seen = np.maximum(b @ start, 1e-3)
    light = start = start * (np.average(ratio, axis=0, weights=w) / np.average(seen, axis=0, weights=w))
    for _ in range(ROUNDS):
        shade = b @ light
        off = np.abs(ratio - shade).mean(1) / (OUTLIER * max(float(np.median(shade)), 1e-3))
        trust = w / (1 + off**2)
        system = (b * trust[:, None]).T @ b
        pull = PRIOR_PULL * trust.sum() * np.eye(9) / 9
        light = np.linalg.solve(system + pull, (b * trust[:, None]).T @ ratio + pull @ start)
    return light


def _reference(shade: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Shade (3,) of the face's lit part: the skin keeps the colour it has there."""
    lit = shade[_sure(weight)]
    brightness = lit.mean(1)
    near = np.abs(brightness - np.percentile(brightness, REFERENCE_PERCENTILE))
    return np.maximum(lit[near <= np.percentile(near, 15)].mean(0), 1e-3)


def _divide(
    colour: np.ndarray, shade: np.ndarray, albedo: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Colour over shade (S, S, 3), and the mean skin in this skin's tone (S, S, 3).

    Nothing is brightened far beyond that mean skin: where harmonics say it is darker than it was,
    as they do behind a narrow shadow, too much would come out.
    """
    flat, sure = colour / shade, _sure(weight)
    expected = albedo * np.median(flat[sure] / np.maximum(albedo[sure], 0.02), axis=0)
    most = np.maximum(BRIGHTER_THAN_MEAN * expected, colour)
    return np.where(shade < 1, np.minimum(flat, most), flat), expected


def _even_sides(flat: np.ndarray, texels: PhotoTexels, atlas: TextureAtlas, prior: Appearance) -> np.ndarray:
    """Factors (S, S) that bring the coarse brightness of both sides of the face together."""
    bright = np.log(np.maximum(flat.mean(-1), 1e-3)).astype(np.float32)
    weight = _skin_weight(texels, atlas, prior).astype(np.float32)
    other, other_weight = cv2.split(atlas.flip(cv2.merge([bright, weight])))
    difference = np.clip(other - bright, -LARGEST_ASYMMETRY, LARGEST_ASYMMETRY)
    values, known = atlas.gather(difference[..., None], np.minimum(weight, other_weight) ** 2)
    smooth = atlas.graph.membrane(values, known, ASYMMETRY_REACH, ASYMMETRY_STIFFNESS)
    return np.exp(0.5 * atlas.spread(smooth)[..., 0])
