"""Where a person's hair ends beside the face and the neck, as the photo shows it."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import median_filter

from facerecon.faces.align import invert, transform_points
from facerecon.faces.masks import FaceMasks
from facerecon.head.hanging_hair import HEIGHTS_M, HangingShell
from facerecon.reconstruction.camera import points_in_crop
from facerecon.reconstruction.landmark_basis import yaw_seen
from facerecon.types import HeadParameters

NEAREST_M, FARTHEST_M, STEP_M = 0.05, 0.17, 0.002
"""From the middle plane: where hair beside a head is looked for, and how closely."""
BEGINS_M = 0.11
"""What begins farther out is not this person's hair."""
GAP = 5
"""As many looks in a row without hair end it; fewer lie between two locks."""
LONG_M, LONG_ROWS = -0.03, 3
"""Hair hangs where it goes on for as many rows below this height; above the ear's middle any head has some."""
EAR_M = -0.05
"""Height of the lobe: down to there hair behind a bare ear is not drawn."""
ASIDE_DEGREES = 12.0
"""A head turned farther hides one side, which is then taken to be like the other."""
FRONTAL_DEGREES = 45.0
"""Of a head turned farther no side's end is seen."""
LIKELY, SURE = 0.12, 0.3
"""Share of the ear's places where the photo shows an ear, from which on it may be bare, and is: a fit puts ears a little beside them."""


def measure_hanging(
    parameters: HeadParameters, vertices: np.ndarray, shell: HangingShell, masks: FaceMasks, photo_size: tuple[int, int]
) -> np.ndarray:
    """Hair beside the head, for ``HangingShell.grow``.

    At each height looks go outward from the face, to the left and to the right, until hair ends; where it leaves the
    picture it goes on as it was.

    Args:
        parameters: pose and camera.
        vertices: (V, 3) metres of the bald head, head frame, with expression.
        shell: of its head model.
        masks: what the photo shows around the face.
        photo_size: height and width in pixels.

    Returns:
        (2, ``ROW``) float32, left and right; all zero of hair that ends at the ears.
    """
    yaw = np.degrees(float(yaw_seen(parameters)))
    if abs(yaw) > FRONTAL_DEGREES:
        return np.zeros((2, 1 + len(HEIGHTS_M)), np.float32)
    sides = []
    for sign, ear in zip((1, -1), shell.ears):
        places, _ = points_in_crop(vertices[ear], parameters, masks.matrix)
        bare = np.clip((_share(masks, "neck", places[None]).mean() - LIKELY) / (SURE - LIKELY), 0, 1)
        sides.append(_side(1 - bare, _ends(parameters, shell.axis_z, sign, masks, photo_size)))
    if abs(yaw) > ASIDE_DEGREES:  # the nose to the right of the picture: the left side is behind
        sides = [sides[1]] * 2 if yaw > 0 else [sides[0]] * 2
    return np.array(sides, np.float32)


def _share(masks: FaceMasks, name: str, places: np.ndarray) -> np.ndarray:
    """How likely (N, M) the masks' pixels at places (N, M, 2) are of a class."""
    return cv2.remap(masks.of(name), *np.moveaxis(places.astype(np.float32), -1, 0), cv2.INTER_LINEAR, borderValue=0.0)


def _ends(parameters: HeadParameters, axis_z: float, sign: int, masks: FaceMasks, photo_size: tuple[int, int]) -> np.ndarray:
    """Where hair ends on one side at each height (H,), metres from the middle plane; 0 without hair, NaN where no end is seen."""
    way = np.arange(NEAREST_M, FARTHEST_M, STEP_M)
    points = np.stack(np.broadcast_arrays(sign * way, HEIGHTS_M[:, None], axis_z), axis=-1)
    places = points_in_crop(points.reshape(-1, 3), parameters, masks.matrix)[0].reshape(*points.shape[:2], 2)
    hair = _share(masks, "hair", places) >= 0.5
    in_photo = transform_points(places.reshape(-1, 2), invert(masks.matrix)).reshape(places.shape)
    limits, last = np.array(photo_size[::-1]) - 1, masks.probabilities.shape[-1] - 1
    seen = ((in_photo >= 0) & (in_photo <= limits) & (places >= 0) & (places <= last)).all(-1)
    return np.array([_end(way, *row) for row in zip(hair, seen)])


def _end(way: np.ndarray, hair: np.ndarray, seen: np.ndarray) -> float:
    """Where hair that begins near the head ends on a way outward (N,)."""
    if not seen[way <= BEGINS_M].all():
        return np.nan
    first = int(hair.argmax())
    if not hair[first] or way[first] > BEGINS_M:
        return 0.0
    bare = np.lib.stride_tricks.sliding_window_view(~hair[first:], GAP).all(-1)
    end = first + int(bare.argmax())
    return way[end - 1] if bare.any() and seen[first : end + GAP].all() else np.nan


def _side(covered: float, ends: np.ndarray) -> np.ndarray:
    """A row of what ``HangingShell.grow`` takes, from how far the ear is covered and the ends of hair (H,)."""
    first = np.flatnonzero(np.isfinite(ends))
    if not len(first):
        return np.zeros(1 + len(ends))
    ends = ends.copy()
    for i in range(len(ends)):
        if not np.isfinite(ends[i]):
            ends[i] = ends[i - 1] if i else ends[first[0]]
    ends = median_filter(ends, 3, mode="nearest")
    if covered < 0.5:
        ends[HEIGHTS_M > EAR_M] = 0
    below = np.flatnonzero(ends > 0)
    if len(below):  # what follows a gap is something else
        ends[below[0] + int(np.append(ends[below[0] :] > 0, False).argmin()) :] = 0
    if (ends[HEIGHTS_M < LONG_M] > 0).sum() < LONG_ROWS:
        return np.zeros(1 + len(ends))
    return np.concatenate(([covered], ends))
