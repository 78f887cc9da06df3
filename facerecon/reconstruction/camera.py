"""From what the encoder says of a crop to a head in front of the photo's camera.

The encoder looks at an aligned crop, as a camera of its own would: one that looks
straight at the head's origin and stands upright in the crop. It says where the origin
is seen in the crop, how many crop pixels a metre takes there, and the inverse of the
distance, which is what perspective is made of. A photo's camera sees the same head from
the same place with a longer picture: its axis is turned away from the head, and its
roll is that of the alignment. Both are undone here.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.faces.align import invert, transform_points
from facerecon.rendering import project, sh_basis, to_camera
from facerecon.types import HeadParameters

NEAREST_M, FARTHEST_M = 0.3, 3.0
# Scale of a typical head in a crop of side 1: crop sides per metre.
TYPICAL_SCALE = 4.7


def rotation_from_6d(values: Tensor) -> Tensor:
    """Rotations from their first two columns, not yet orthonormal (Zhou et al., CVPR 2019).

    Args:
        values: (B, 6), the first column, then the second.

    Returns:
        (B, 3, 3) proper rotations.
    """
    x = F.normalize(values[:, :3], dim=1)
    y = F.normalize(values[:, 3:] - (x * values[:, 3:]).sum(1, keepdim=True) * x, dim=1)
    return torch.stack((x, y, torch.linalg.cross(x, y)), dim=2)


def yaw_of(rotation: Tensor) -> Tensor:
    """Yaw as a camera on the z axis sees it, whatever the roll.

    Args:
        rotation: (B, 3, 3) head to camera.

    Returns:
        (B,) radians, positive where the face turns to the head's own left.
    """
    return torch.atan2(-rotation[:, 2, 0], rotation[:, 2, 2])


def seen_yaw(rotation: Tensor, translation: Tensor) -> Tensor:
    """Yaw (B,) radians under which the lens sees a head with pose (B, 3, 3) and (B, 3)."""
    away = (rotation.transpose(1, 2) @ translation[..., None])[..., 0]
    return torch.atan2(away[:, 0], -away[:, 2])


def crop_points(points: Tensor, rotation: Tensor, scale: Tensor, center: Tensor, inverse_distance: Tensor) -> Tensor:
    """Projects points of the head into the crop.

    Args:
        points: (B, N, 3) metres, the head's frame.
        rotation: (B, 3, 3) head to the crop's camera.
        scale: (B,) crop sides per metre at the origin's depth.
        center: (B, 2) where the origin is seen, crop sides from the crop's centre, v down.
        inverse_distance: (B,) 1 / metres.

    Returns:
        (B, N, 2) crop sides from the crop's centre.
    """
    turned = points @ rotation.transpose(1, 2)
    grow = scale[:, None] / (1 - turned[..., 2] * inverse_distance[:, None]).clamp_min(0.2)
    return torch.stack((center[:, :1] + grow * turned[..., 0], center[:, 1:] - grow * turned[..., 1]), dim=-1)


def photo_camera(
    scale: float,
    center: np.ndarray,
    distance_m: float,
    matrix: np.ndarray,
    size: int,
    principal_point: np.ndarray,
    focal_px: float | None = None,
) -> tuple[np.ndarray, np.ndarray, float]:
    """The photo's camera, as it stands to the crop's.

    Args:
        scale: crop sides per metre at the origin's depth.
        center: (2,) crop sides from the crop's centre.
        distance_m: from the camera to the head's origin, as the encoder judges it.
        matrix: (2, 3) photo pixels to crop pixels, a similarity.
        size: side of the crop, pixels.
        principal_point: (2,) pixels of the photo.
        focal_px: focal length in photo pixels where it is known; the distance then follows from it.

    Returns:
        The turn (3, 3) from the crop's camera to the photo's, translation (3,) of the head in metres, and focal
        length in photo pixels.
    """
    to_photo = invert(matrix)
    seen = transform_points((np.asarray(center, np.float64) + 0.5) * size - 0.5, to_photo)
    photo_scale = scale * size * math.sqrt(abs(np.linalg.det(to_photo[:, :2])))
    if focal_px is None:
        focal_px = photo_scale * distance_m
    # The crop was turned by `roll` in the picture (v down), which is a turn by -roll about z (y up).
    roll = math.atan2(to_photo[1, 0], to_photo[0, 0])
    c, s = math.cos(roll), math.sin(roll)
    about_axis = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    return *pose_of(about_axis, seen, photo_scale, principal_point, focal_px), float(focal_px)


def pose_of(
    view: np.ndarray, seen: np.ndarray, pixels_per_m: float, principal_point: np.ndarray, focal_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """A pose in the camera from how a head looks.

    Args:
        view: (3, 3) as a camera that looks straight at the head's origin sees it.
        seen: (2,) pixel of the photo where the origin is seen.
        pixels_per_m: size of the picture of a metre at the origin.
        principal_point: (2,) pixels of the photo.
        focal_px: pixels of the photo.

    Returns:
        Rotation (3, 3) and translation (3,) metres in the photo's camera.
    """
    ray = np.array([(seen[0] - principal_point[0]) / focal_px, (principal_point[1] - seen[1]) / focal_px, -1.0])
    # Away from the axis a plane picture stretches: the head stands at depth d, so at |ray| d from the lens.
    return _turn_to(ray) @ view, ray * (focal_px / pixels_per_m)


def view_of(
    rotation: np.ndarray, translation_m: np.ndarray, principal_point: np.ndarray, focal_px: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """The inverse of :func:`pose_of`: view (3, 3), pixel (2,) and pixels a metre of a pose."""
    translation = np.asarray(translation_m, np.float64)
    pixels_per_m = focal_px / -translation[2]
    seen = np.asarray(principal_point, np.float64) + pixels_per_m * translation[:2] * (1, -1)
    return _turn_to(translation / -translation[2]).T @ rotation, seen, float(pixels_per_m)


def _turn_to(ray: np.ndarray) -> np.ndarray:
    """The turn (3, 3) from the camera's axis to a ray."""
    return rotation_between(np.array([0.0, 0.0, -1.0]), ray / np.linalg.norm(ray))


def rotation_between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation (3, 3) that takes one unit vector to another, not opposite, one."""
    axis, cosine = np.cross(start, end), float(start @ end)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + cosine)


def turn_light(lighting: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Spherical harmonics (9, 3) of a light after it was turned by a rotation (3, 3)."""
    grid = np.random.default_rng(0).normal(size=(64, 3))
    grid /= np.linalg.norm(grid, axis=1, keepdims=True)
    before = sh_basis(torch.from_numpy(grid @ rotation)).numpy() @ lighting
    return np.linalg.lstsq(sh_basis(torch.from_numpy(grid)).numpy(), before, rcond=None)[0]


def points_in_crop(points: np.ndarray, parameters: HeadParameters, matrix: np.ndarray) -> tuple[np.ndarray, float]:
    """Where a crop of the photo shows points of the head.

    Args:
        points: (N, 3) metres, head frame.
        parameters: pose and camera.
        matrix: (2, 3), pixels of the photo to pixels of the crop.

    Returns:
        (N, 2) pixels of the crop, and how many of them a metre has at the last of the points.
    """
    rotation, translation, principal = (
        torch.as_tensor(np.asarray(value, np.float64))[None]
        for value in (parameters.rotation, parameters.translation_m, parameters.principal_point)
    )
    there = to_camera(torch.from_numpy(np.asarray(points, np.float64))[None], rotation, translation)
    pixels = project(there, torch.tensor([parameters.focal_px], dtype=torch.float64), principal)[0].numpy()
    zoom = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return transform_points(pixels, matrix), float(zoom * parameters.focal_px / -there[0, -1, 2])
