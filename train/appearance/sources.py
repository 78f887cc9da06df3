"""Reads the CC0 MakeHuman skins and eyes into the head's texture layout."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from facerecon.head import HeadModel
from facerecon.reconstruction.texture_atlas import TextureAtlas

IRIS_DEGREES = 22.0
"""Radius of the iris as seen from the eyeball's centre: 12.2 mm across on MakeHuman's eyeball of 16.3 mm radius."""
PUPIL_SHARE = 0.30
EYE_PICTURE_CENTRE = (0.2935, 0.7045)
EYE_PICTURE_IRIS = 0.1155
EYE_PICTURE_SCLERA = 0.27
"""Centre, iris radius and usable sclera radius in MakeHuman's eye pictures, as shares of their side."""


def read_rgb(path: Path) -> np.ndarray:
    """(H, W, 3) float32 in [0, 1]; raises ``FileNotFoundError``."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(f"There is no picture {path}.")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.float32) / 255


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] to CIE Lab, L in [0, 100]."""
    return cv2.cvtColor(np.ascontiguousarray(rgb, np.float32), cv2.COLOR_RGB2LAB)


def makehuman_coordinates(head: HeadModel, atlas: TextureAtlas) -> np.ndarray:
    """(S, S, 2) place of every texel in MakeHuman's UV square, origin at the lower left."""
    corners = head.uv_makehuman.cpu().numpy()[head.uv_makehuman_faces.cpu().numpy()]
    out = np.zeros((*atlas.face_index.shape, 2), np.float32)
    inside = atlas.inside
    out[inside] = (corners[atlas.face_index[inside]] * atlas.barycentric[inside][..., None]).sum(1)
    return out


def sample(picture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Bilinear look-up at uv (S, S, 2), origin at the lower left."""
    height, width = picture.shape[:2]
    column = (uv[..., 0] * width - 0.5).astype(np.float32)
    row = ((1 - uv[..., 1]) * height - 0.5).astype(np.float32)
    return cv2.remap(picture, column, row, cv2.INTER_LINEAR)


def skin_coverage(folder: Path, uv: np.ndarray) -> np.ndarray:
    """(S, S) bool: texels the cut-down skins have colours for, away from their rims."""
    mask = (read_rgb(folder / "head_uv_mask.png")[..., 0] > 0.5).astype(np.uint8)
    mask = cv2.erode(mask, np.ones((5, 5), np.uint8))
    return sample(mask.astype(np.float32), uv) > 0.999


def gaze_angles(atlas: TextureAtlas, eye: str) -> tuple[np.ndarray, np.ndarray]:
    """Angle from the gaze axis in degrees and turn about it in radians, (S, S) each, at an eyeball's texels."""
    chart = atlas.material == atlas.material_labels.index(eye)
    points = atlas.spread(atlas.template)
    vertices = atlas.template[np.unique(atlas.faces[np.unique(atlas.face_index[chart])])]
    direction = points - vertices.mean(0)
    direction /= np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-9)
    angle = np.degrees(np.arccos(np.clip(direction[..., 2], -1, 1)))
    return np.where(chart, angle, 180.0), np.arctan2(direction[..., 1], direction[..., 0])


def sample_eye(picture: np.ndarray, angle: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Wraps one of MakeHuman's eye pictures about the gaze axis."""
    inner = EYE_PICTURE_IRIS * angle / IRIS_DEGREES
    outer = EYE_PICTURE_IRIS + (EYE_PICTURE_SCLERA - EYE_PICTURE_IRIS) * (angle - IRIS_DEGREES) / (90 - IRIS_DEGREES)
    radius = np.minimum(np.where(angle < IRIS_DEGREES, inner, outer), EYE_PICTURE_SCLERA)
    place = np.stack(
        [EYE_PICTURE_CENTRE[0] + radius * np.cos(turn), 1 - EYE_PICTURE_CENTRE[1] + radius * np.sin(turn)], axis=-1
    )
    return sample(picture, place)
