"""How skin varies over a face: a statistical model in UV that makes the mean skin a person's own.

Principal components of unwrapped photos, as the albedo models of Blanz and Vetter (1999) and FLAME have them, of the face in
``detail_surface``'s window and as photos show it, their usual light included. Fitted to what a photo shows, they say
what the rest of this face looks like.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from facerecon.checkpoints import CheckpointError, find_optional
from facerecon.reconstruction.appearance import Appearance
from facerecon.reconstruction.detail_surface import cut_window, fade, window_slices
from facerecon.reconstruction.texture_atlas import TextureAtlas
from facerecon.reconstruction.texture_projection import PhotoTexels, ramp
from facerecon.reconstruction.texture_tone import Tone

SIDE = 64  # texels of the window
FORMAT = "facerecon-skin-1"
FEWEST = 200  # texels that a fit needs
NOISE = 20.0  # Lab: what the components leave unexplained, of neighbouring texels together
LIT_FACING = (0.50, 0.85)  # ramp of cosines between normal and line of sight over which brightness comes to count
PATTERN = 6 / 256  # of the window: finer patterns of the mean skin stay


@dataclass(frozen=True)
class SkinModes:
    """The model: ``mean`` (S, S, 3) Lab less the skin's median, ``modes`` (K, S, S, 3) for one standard deviation each,
    and in [0, 1] where they hold, ``cover`` (S, S)."""

    mean: np.ndarray
    modes: np.ndarray
    cover: np.ndarray


def write(path: Path, model: SkinModes) -> None:
    """Writes the model, components in 8 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scale = np.abs(model.modes).max((1, 2, 3)) / 127
    arrays = {
        "mean": model.mean.astype(np.float16), "cover": (model.cover * 255 + 0.5).astype(np.uint8),
        "modes": np.round(model.modes / scale[:, None, None, None]).astype(np.int8), "scale": scale.astype(np.float32),
    }  # fmt: skip
    save_file(arrays, str(path), metadata={"format": FORMAT})


@lru_cache(maxsize=2)
def load_skin_modes(path: Path | None = None) -> SkinModes | None:
    """``weights/skin`` or another file; None where the shipped one is missing.

    Raises:
        CheckpointError: the file cannot be read.
    """
    if path is None and (found := find_optional("skin")) is None:
        return None
    file = path or found / "skin.safetensors"
    try:
        with safe_open(str(file), "np") as handle:
            if (handle.metadata() or {}).get("format") != FORMAT:
                raise ValueError("it is not of this format")
            values = {name: handle.get_tensor(name) for name in handle.keys()}
    except Exception as error:
        raise CheckpointError(f"The statistical skin {file} cannot be used: {error}") from error
    modes = values["modes"].astype(np.float32) * values["scale"][:, None, None, None]
    return SkinModes(values["mean"].astype(np.float32), modes, values["cover"].astype(np.float32) / 255)


def fit(model: SkinModes, lab: np.ndarray, seen: np.ndarray) -> np.ndarray | None:
    """The whole face's colours (S, S, 3) from those seen, as likely as not by the components' deviations.

    Args:
        lab: (S, S, 3) CIE Lab.
        seen: (S, S) bool; None is the answer where they are too few.
    """
    if seen.sum() < FEWEST:
        return None
    tone = np.median(lab[seen], axis=0)
    shown = model.modes[:, seen].reshape(len(model.modes), -1)
    rest = (lab - tone - model.mean)[seen].ravel()
    weights = np.linalg.solve(shown @ shown.T + NOISE**2 * np.eye(len(shown)), shown @ rest)
    return tone + model.mean + np.tensordot(weights, model.modes, 1)


def personal(
    prior: Appearance, texels: PhotoTexels, accepted: tuple[np.ndarray, np.ndarray], atlas: TextureAtlas, tone: Tone, model: SkinModes | None = None
) -> Appearance:
    """The mean skin with this face's colours wherever the model holds, so that in the photo's tone it is this person's.

    Args:
        accepted: what ``texture_completion.accept`` says of the texels.
        tone: of the photo, with which the skin will be matched to it.
        model: the shipped one by default; without it the mean skin stays.
    """
    model = model or load_skin_modes()
    if model is None:
        return prior
    weight, likeness = accepted
    sure = cut_window((weight * likeness * atlas.masks["face"]).astype(np.float32), SIDE) > 0.5
    found = fit(model, cut_window(texels.lab, SIDE), sure & (model.cover > 0.3))
    if found is None:
        return prior
    rows, columns = window_slices(atlas.size)
    side = (rows.stop - rows.start,) * 2
    # In the mean skin's own tone: completion multiplies by the same scale.
    scale = np.maximum(np.array([tone.light, tone.chroma, tone.chroma], np.float32), 0.2)
    wanted = tone.prior + (cv2.resize(found.astype(np.float32), side, interpolation=cv2.INTER_CUBIC) - tone.skin) / scale
    where = cv2.resize(model.cover, side, interpolation=cv2.INTER_LINEAR) * cv2.resize(fade(), side, interpolation=cv2.INTER_LINEAR)
    lab = prior.lab.copy()
    part = lab[rows, columns]
    # The face's rim lies in shade in every photo that the components were learned from: no property of the skin. The window is its
    # own mirror image.
    facing = texels.facing[rows, columns]
    where = (where * atlas.skin[rows, columns] * ramp(np.maximum(facing, facing[:, ::-1]), *LIT_FACING))[..., None]
    part += where * (wanted - prior.broad(rows, columns, PATTERN * side[0]))
    return replace(prior, lab=lab)
