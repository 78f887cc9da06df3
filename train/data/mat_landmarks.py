"""300W-LP and AFLW2000-3D (Zhu et al., "Face Alignment Across Large Poses", CVPR 2016).

A ``.mat`` beside each photo holds ``pt2d`` (300W-LP: 2 x 68) or ``pt3d_68`` (AFLW2000-3D:
3 x 68), pixels counted from 1, and ``Pose_Para``: pitch, yaw and roll in radians.
"""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from facerecon.types import FaceReconError
from train.data.packs import FaceLabels, FacePack

LARGEST_DEGREES = 99.0
"""AFLW2000-3D's pose benchmark leaves out the few photos beyond (Ruiz et al., HopeNet, 2018)."""


def w300lp(path: Path) -> FacePack:
    """300W-LP: ``AFW/AFW_134212_1_0.jpg`` and ``.mat``, likewise HELEN, IBUG, LFPW and ``*_Flip``."""
    return _pack(path, "300W-LP", "pt2d")


def aflw2000(path: Path) -> FacePack:
    """AFLW2000-3D: ``image00002.jpg`` and ``image00002.mat``."""
    return _pack(path, "AFLW2000-3D", "pt3d_68")


def _pack(path: Path, name: str, key: str) -> FacePack:
    pack = FacePack(path)
    tables = {PurePosixPath(file).with_suffix("").as_posix(): file for file in pack.files(".mat")}
    names = [photo for photo in pack.names if PurePosixPath(photo).with_suffix("").as_posix() in tables]
    if not names:
        raise FaceReconError(f"The dataset {path} is no {name}: no photo has a .mat beside it.")

    @lru_cache(maxsize=4096)
    def label(photo: str) -> FaceLabels:
        file = tables[PurePosixPath(photo).with_suffix("").as_posix()]
        landmarks, pose = read_mat(pack.read(file), key, file)
        return FaceLabels(landmarks=landmarks, rotation=rotation_of(*pose))

    return FacePack(path, label, names)


def read_mat(data: bytes, key: str, name: str = "a .mat") -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (68, 2) float32, the first pixel's centre at (0, 0), and pitch, yaw, roll (3,) radians.

    Raises:
        FaceReconError: the file is damaged or lacks them.
    """
    from scipy.io import loadmat

    try:
        values = loadmat(io.BytesIO(data), variable_names=[key, "Pose_Para"])
        points, pose = np.asarray(values[key], np.float32)[:2].T, np.asarray(values["Pose_Para"], np.float64).ravel()[:3]
    except Exception as error:  # scipy has many names for a damaged file
        raise FaceReconError(f"{name} cannot be read: {error}.") from error
    if points.shape != (68, 2) or len(pose) != 3:
        raise FaceReconError(f"{name} does not hold 68 landmarks and a pose.")
    return points - 1, pose


def rotation_of(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """(3, 3) float32 head to camera (x right, y up, z toward the camera) of 3DDFA's angles, radians.

    There a rotation is ``Rx(-pitch) @ Ry(-yaw) @ Rz(-roll)``: positive yaw turns the nose to the picture's left.
    """
    (cx, cy, cz), (sx, sy, sz) = np.cos([pitch, yaw, roll]), np.sin([pitch, yaw, roll])
    about_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_z = np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]])
    return (about_x @ about_y @ about_z).astype(np.float32)


def angles_of(rotation: np.ndarray) -> np.ndarray:
    """Pitch, yaw, roll (..., 3) degrees of rotations (..., 3, 3), the inverse of :func:`rotation_of`."""
    r = np.asarray(rotation, np.float64)
    yaw = np.arcsin(np.clip(-r[..., 0, 2], -1, 1))
    pitch = np.arctan2(r[..., 1, 2], r[..., 2, 2])
    roll = np.arctan2(r[..., 0, 1], r[..., 0, 0])
    return np.degrees(np.stack((pitch, yaw, roll), axis=-1))


def pose_errors(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Mean absolute errors of pitch, yaw and roll in degrees, and their mean, as AFLW2000-3D reports them.

    Args:
        predicted, truth: (N, 3, 3) rotations; those beyond ``LARGEST_DEGREES`` in truth are left out.
    """
    real, found = angles_of(truth), angles_of(predicted)
    kept = (np.abs(real) <= LARGEST_DEGREES).all(-1)
    off = np.abs((found[kept] - real[kept] + 180) % 360 - 180).mean(0)
    return {**dict(zip(("pitch", "yaw", "roll"), off.tolist())), "mean": float(off.mean()), "faces": int(kept.sum())}
