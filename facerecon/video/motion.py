"""The motion of one track: in one shape, through one lens, without jitter."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from scipy.spatial.transform import Rotation

from facerecon.export.animation import steady_quaternions
from facerecon.head import HeadModel
from facerecon.reconstruction.camera import pose_of, view_of
from facerecon.reconstruction.same_person import put_shape
from facerecon.types import HeadParameters, PersonShape
from facerecon.video.smoothing import Method, Motion, smooth
from facerecon.video.store import Table

# Noise and motion, chosen on the videos of ``video.benchmark``; more noise than the networks show there.
_VIEW = Motion(noise=0.0087, acceleration=2.6, beta=12.0)  # quaternions: 1 degree, 300 degrees a second squared
_PLACE = Motion(noise=0.01, acceleration=20.0, beta=10.0)  # face sizes
_SCALE = Motion(noise=0.01, acceleration=4.0, beta=10.0)  # logarithm
_EXPRESSION = Motion(noise=0.02, acceleration=8.0, beta=4.0)
_LIGHTING = Motion(noise=0.05, acceleration=0.2, beta=0.5)

_OF_POSE = ("identity", "expression", "rotation", "translation_m", "focal_px", "principal_point", "lighting")


def steadied(rows: Table, time_base: Fraction, method: Method) -> Table:
    """The rows of one track under one focal length, without jitter; identity is left to the person."""
    times = rows["pts"] * float(time_base)
    focal = float(np.median(rows["focal_px"]))
    views, seen, scales = [], [], []
    for rotation, translation, principal, f in zip(
        rows["rotation"], rows["translation_m"], rows["principal_point"], rows["focal_px"]
    ):
        view, pixel, scale = view_of(rotation, translation, principal, float(f))
        views.append(view)
        seen.append(pixel)
        scales.append(scale)
    size = float(np.median(rows["box"][:, 2:] - rows["box"][:, :2]))
    views = _smooth_rotations(times, np.array(views), method)
    seen = smooth(times, np.array(seen)[:, None] / size, _PLACE, method)[:, 0] * size
    scales = np.exp(smooth(times, np.log(scales)[:, None, None], _SCALE, method)[:, 0, 0])
    poses = [pose_of(v, s, k, p, focal) for v, s, k, p in zip(views, seen, scales, rows["principal_point"])]
    lighting = smooth(times, rows["lighting"].reshape(len(times), 1, -1), _LIGHTING, method)
    kept = ("frame", "pts", "scene", "track", "detected", "score", "box", "points", "principal_point", "resolution", "blur")
    return {
        **{name: rows[name] for name in kept},
        "rotation": np.array([rotation for rotation, _ in poses], np.float32),
        "translation_m": np.array([translation for _, translation in poses], np.float32),
        "focal_px": np.full(len(times), focal, np.float32),
        "expression": smooth(times, rows["expression"][..., None], _EXPRESSION, method)[..., 0].clip(0, 1).astype(np.float32),
        "lighting": lighting.reshape(rows["lighting"].shape).astype(np.float32),
    }


def _smooth_rotations(times: np.ndarray, rotations: np.ndarray, method: Method) -> np.ndarray:
    """Rotations (T, 3, 3) through the filter as quaternions that never change sides."""
    quaternions = steady_quaternions(Rotation.from_matrix(rotations))
    smoothed = smooth(times, quaternions[:, None], _VIEW, method)[:, 0]
    return Rotation.from_quat(smoothed).as_matrix()


def reposed(rows: Table, shape: PersonShape, head: HeadModel) -> Table:
    """Rows whose landmarks lie where they did, now that the head has the person's shape."""
    poses = [
        put_shape(HeadParameters(demographics=shape.demographics, **values), landmarks, shape, head)
        for values, landmarks in zip(_each(rows, _OF_POSE), rows["landmarks_68"])
    ]
    return {
        **rows,
        "rotation": np.array([pose.rotation for pose in poses]),
        "translation_m": np.array([pose.translation_m for pose in poses]),
    }


def _each(rows: Table, names: tuple[str, ...]) -> Iterator[dict[str, np.ndarray]]:
    """Some columns, row by row."""
    for values in zip(*(rows[name] for name in names)):
        yield dict(zip(names, values))
