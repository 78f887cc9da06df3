"""How far a person's hair stands off the scalp, from where it ends in the photo."""

from __future__ import annotations

import numpy as np

from facerecon.faces.masks import FaceMasks
from facerecon.head import HeadModel
from facerecon.head.hair import DIRECTIONS, HairShell, hair_shell
from facerecon.reconstruction.camera import points_in_crop
from facerecon.reconstruction.hanging_hair import measure_hanging
from facerecon.types import HeadParameters

RAYS = 72
"""Ways from the middle of the skull outward, in the picture, on which the end of the hair is looked for."""
STEP = 0.5
"""Between looks along a ray, pixels of the masks."""
GAP = 4
"""As many looks in a row without hair end it; fewer lie between two locks."""
THICKEST_M = 0.12
"""What goes on for longer is no hair, or more of it than can be told from what is behind."""
FEWEST_RAYS = 5
OTHER_SIDE = 0.25
"""What the other side of the head says of this one, beside 1."""
USUAL, USUAL_SHARE = 0.8, 0.3
"""Where no ray went hair is taken for so much of what it is in the median; this counts as so many rays."""
UNSEEN_M = 0.02
"""On the scalp, of hair that is seen beside the face alone."""


def measure_hair(
    parameters: HeadParameters, vertices: np.ndarray, head: HeadModel, masks: FaceMasks, photo_size: tuple[int, int]
) -> np.ndarray | None:
    """A person's hair, for ``HeadParameters.hair``.

    Args:
        parameters: pose and camera.
        vertices: (V, 3) metres of the bald head, head frame, with expression.
        head: the head model the vertices belong to.
        masks: what the photo shows around the face.
        photo_size: height and width in pixels; hair that leaves the photo tells nothing.

    Returns:
        float32 metres, or None where the photo shows too little of the scalp's outline and nothing beside the head.
    """
    shell = hair_shell(head)
    standing = _standing(parameters, vertices, head, masks, photo_size)
    hanging = measure_hanging(parameters, vertices, shell.hanging, masks, photo_size)
    if standing is None and not hanging.any():
        return None
    standing = np.full(DIRECTIONS, UNSEEN_M) if standing is None else standing
    return np.concatenate((standing, hanging.ravel())).astype(np.float32)


def _standing(
    parameters: HeadParameters, vertices: np.ndarray, head: HeadModel, masks: FaceMasks, photo_size: tuple[int, int]
) -> np.ndarray | None:
    """Thickness (64,) of the hair on the scalp by direction, metres.

    A ray from the middle of the skull crosses the bald head's outline at a point of the scalp, and ends where the hair
    does: that is how thick it is there. The other sides are guessed from these.
    """
    shell = hair_shell(head)
    points = np.concatenate((np.asarray(vertices, np.float64), shell.center[None]))
    places, metre = points_in_crop(points, parameters, masks.matrix)
    outline = _outline(places[:-1], places[-1], (head.masks["skin"] & ~head.masks["neck"]).cpu().numpy())
    outline = outline[shell.scalp[outline]]
    if len(outline) < FEWEST_RAYS:
        return None
    thickness = _hair_beyond(places[outline], places[-1], THICKEST_M * metre, masks, photo_size) / metre
    known = np.isfinite(thickness)
    if known.sum() < FEWEST_RAYS:
        return None
    seen = shell.outward(points[outline[known]])
    return _everywhere(shell, seen, _steady(thickness[known]))


def _outline(places: np.ndarray, center: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The vertex of the region (V,) farthest from the centre (2,) in each direction where there is one; around the circle."""
    away = places - center
    reach = np.where(region, np.hypot(away[:, 0], away[:, 1]), -1)
    ray = np.floor((np.arctan2(away[:, 1], away[:, 0]) / (2 * np.pi) + 0.5) * RAYS).astype(int) % RAYS
    order = np.lexsort((reach, ray))
    last = order[np.append(np.flatnonzero(np.diff(ray[order])), len(order) - 1)]
    return last[reach[last] > 0]


def _hair_beyond(
    starts: np.ndarray, center: np.ndarray, farthest: float, masks: FaceMasks, photo_size: tuple[int, int]
) -> np.ndarray:
    """How far (N,) hair goes on from places (N, 2) away from the centre, pixels of the masks; NaN where no end of it is seen."""
    away = starts - center
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    way = np.arange(0, farthest + GAP * STEP, STEP)
    looks = starts[:, None] + away[:, None] * way[:, None]
    bare = np.lib.stride_tricks.sliding_window_view(masks.at("hair", looks) < 0.5, GAP, axis=1).all(-1)
    end = bare.argmax(1)
    last = looks[np.arange(len(looks)), end]
    return np.where(bare.any(1) & masks.show(last, photo_size), way[end], np.nan)


def _steady(values: np.ndarray) -> np.ndarray:
    """Medians (N,) of each ray's and its neighbours' values: one stray pixel of hair or background makes no horn or dent."""
    around = np.concatenate((values[-1:], values, values[:1]))
    return np.median(np.lib.stride_tricks.sliding_window_view(around, 3), axis=1)


def _everywhere(shell: HairShell, seen: np.ndarray, thickness: np.ndarray) -> np.ndarray:
    """Thickness in the shell's directions (64,) from that in others (N, 3), those mirrored, and what is usual for this person."""
    directions = np.concatenate((seen, seen * (-1, 1, 1)))
    values = np.concatenate((thickness, thickness))
    shares = shell.nearness(directions) * np.repeat((1.0, OTHER_SIDE), len(seen))[:, None]
    usual = USUAL * np.median(thickness)
    return (values @ shares + USUAL_SHARE * usual) / (shares.sum(0) + USUAL_SHARE)
