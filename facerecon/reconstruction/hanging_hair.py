"""Where a person's hair ends beside the face and the neck, as the photo shows it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import median_filter

from facerecon.faces.masks import FaceMasks
from facerecon.head.hanging_hair import HEIGHTS_M, ROW, HangingShell
from facerecon.reconstruction.camera import points_in_crop
from facerecon.reconstruction.landmark_basis import yaw_seen
from facerecon.types import HeadParameters

NEAREST_M, FARTHEST_M, STEP_M = 0.05, 0.17, 0.002
"""From the middle plane: where hair beside a head is looked for, and how closely."""
BEGINS_M = 0.11
"""What begins farther out is not this person's hair."""
THINNEST_M = 0.018
"""Less of it beside a neck is the shadow of an ear or a jaw."""
GAP = 5
"""As many looks in a row without hair end it; fewer lie between two locks."""
LONG_M, LONG_ROWS, BEHIND_ROWS = -0.03, 3, 5
"""Hair hangs where it goes on for as many rows below this height, for more behind a bare ear; above the ear's middle any head has
some."""
BESIDE_M, FULL_M, FULL_BREADTH_M = (0.03, -0.03), 0.098, 0.025
"""Heights of the ear's upper half: shorter hair covers it, too, where it goes out so far there, and is so broad."""
ABOVE_M = 0.01
"""Hair over an ear comes from above it."""
EAR_M = -0.05
"""Height of the lobe: down to there hair behind a bare ear is not drawn."""
ASIDE_DEGREES = 12.0
"""A head turned farther hides one side, which is then taken to be like the other."""
FRONTAL_DEGREES = 45.0
"""Of a head turned farther no side's end is seen."""
LIKELY, SURE = 0.12, 0.3
"""Share of the ear's places where the photo shows an ear, from which on it may be bare, and is: a fit puts ears a little beside them."""


@dataclass(frozen=True)
class Side:
    """What a photo shows on one side of a head.

    Attributes:
        bare: [0, 1], how surely the ear shows.
        ends: (H,) metres from the middle plane at which hair ends at ``HEIGHTS_M``; 0 without, NaN where the photo does not show it.
        breadth: (H,) metres, how broad it is there.
        cut: (H,) bool, where it goes on beyond the picture.
    """

    bare: float
    ends: np.ndarray
    breadth: np.ndarray
    cut: np.ndarray


def measure_hanging(
    parameters: HeadParameters, vertices: np.ndarray, shell: HangingShell, masks: FaceMasks, photo_size: tuple[int, int]
) -> np.ndarray:
    """Hair beside the head, for ``HangingShell.grow``.

    At each height looks go outward from the face, to the left and to the right, until hair ends; below the picture it goes on as
    it was.

    Args:
        parameters: pose and camera.
        vertices: (V, 3) metres of the bald head, head frame, with expression.
        shell: of its head model.
        masks: what the photo shows around the face.
        photo_size: height and width in pixels.

    Returns:
        (2, ``ROW``) float32, left and right; all zero of hair that ends at the ears, and of profiles.
    """
    yaw = np.degrees(float(yaw_seen(parameters)))
    if abs(yaw) > FRONTAL_DEGREES:
        return np.zeros((2, ROW), np.float32)
    left, right = (
        _look(parameters, vertices[ear], shell.axis_z, sign, masks, photo_size) for sign, ear in zip((1, -1), shell.ears)
    )
    left, right = _completed(left, right), _completed(right, left)
    if abs(yaw) > ASIDE_DEGREES:  # the nose to the right of the picture: the left side is behind
        left, right = (_alike(right, left),) * 2 if yaw > 0 else (_alike(left, right),) * 2
    rows = np.array([_row(left), _row(right)], np.float32)
    return rows * rows.any(1).all()  # on one side alone it is something behind the head


def _look(
    parameters: HeadParameters, ear: np.ndarray, axis_z: float, sign: int, masks: FaceMasks, photo_size: tuple[int, int]
) -> Side:
    """One side: its ear (N, 3) metres, and the hair on the ways outward, to +x or -x by ``sign``."""
    places, _ = points_in_crop(ear, parameters, masks.matrix)
    bare = np.clip((masks.at("neck", places[None]).mean() - LIKELY) / (SURE - LIKELY), 0, 1)
    way = np.arange(NEAREST_M, FARTHEST_M, STEP_M)
    points = np.stack(np.broadcast_arrays(sign * way, HEIGHTS_M[:, None], axis_z), axis=-1)
    places = points_in_crop(points.reshape(-1, 3), parameters, masks.matrix)[0].reshape(*points.shape[:2], 2)
    rows = zip(masks.at("hair", places) >= 0.5, masks.show(places, photo_size))
    ends, breadth, cut = map(np.array, zip(*(_end(way, *row) for row in rows)))
    return Side(float(bare), ends, breadth, cut)


def _end(way: np.ndarray, hair: np.ndarray, seen: np.ndarray) -> tuple[float, float, bool]:
    """Where hair that begins near the head ends on a way outward (N,), how broad it is, and whether the picture ends before it;
    NaN where neither does."""
    near, found = way <= BEGINS_M, hair & seen
    if not (found & near).any():
        return (0.0 if seen[near].all() else np.nan), 0.0, False
    first = int(found.argmax())
    bare = np.lib.stride_tricks.sliding_window_view(~found[first:], GAP).all(-1)
    last = first + (int(bare.argmax()) if bare.any() else len(way) - first) - 1
    if last + 1 == len(way):  # what never ends is no hair, or more of it than can be told from what is behind
        return np.nan, 0.0, False
    return way[last], way[last] - way[first], not seen[last : last + 2].all()


def _completed(side: Side, other: Side) -> Side:
    """A side, with what the other one says where the picture ends too soon."""
    beyond = np.where(side.cut | np.isnan(side.ends), other.ends, np.nan)
    return replace(side, ends=np.fmax(side.ends, beyond), breadth=np.where(np.isnan(side.ends), other.breadth, side.breadth))


def _alike(near: Side, far: Side) -> Side:
    """Both sides of a head seen from one: where hair ends on the far side, a part of it is that at the back."""
    both = (near.ends > 0) & (far.ends > 0)
    return replace(near, ends=np.where(both, (near.ends + far.ends) / 2, near.ends))


def _row(side: Side) -> np.ndarray:
    """What ``HangingShell.grow`` takes for a side."""
    known = np.flatnonzero(np.isfinite(side.ends))
    if not len(known):
        return np.zeros(ROW)
    before = np.maximum(np.searchsorted(known, np.arange(len(HEIGHTS_M)), "right") - 1, 0)
    ends = median_filter(side.ends[known[before]], 3, mode="nearest")
    if side.bare > 0.5:
        ends[HEIGHTS_M > EAR_M] = 0
    rows = np.flatnonzero(ends > 0)
    if not len(rows) or (side.bare <= 0.5 and HEIGHTS_M[rows[0]] < ABOVE_M):
        return np.zeros(ROW)
    ends[rows[0] + int(np.append(ends[rows[0] :] > 0, False).argmin()) :] = 0  # what follows a gap is something else
    low, beside = (ends > 0) & (HEIGHTS_M < LONG_M), (HEIGHTS_M < BESIDE_M[0]) & (HEIGHTS_M > BESIDE_M[1])
    long = low.sum() >= (BEHIND_ROWS if side.bare > 0.5 else LONG_ROWS) and _breadth(side, low) >= THINNEST_M
    full = side.bare <= 0.5 and ends[beside].min() >= FULL_M and _breadth(side, beside) >= FULL_BREADTH_M
    return np.concatenate(([1 - side.bare], ends)) if long or full else np.zeros(ROW)


def _breadth(side: Side, rows: np.ndarray) -> float:
    """How broad hair is in the median of those of the rows (H,) where the photo shows any."""
    breadth = side.breadth[rows & (side.breadth > 0)]
    return float(np.median(breadth)) if len(breadth) else 0.0
