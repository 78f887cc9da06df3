"""A person's hair: a shell around the scalp, which stands off by direction from the middle of the skull, and what hangs below it.

The head model's mesh ends at the skin, as FLAME's does, which leaves every head bald. A smooth offset of the scalp gives it the
outline that people know it by, moves with its morph targets, and is plain geometry to every program.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
import torch

from facerecon.head.hanging_hair import ROW, HangingShell, smooth_step
from facerecon.head.model import HeadModel
from facerecon.metrics.surfaces import distances_along
from facerecon.types import HeadParameters

DIRECTIONS = 64
"""Hair on the scalp is described by its thickness in as many directions, spread evenly over the sphere."""
NUMBERS = DIRECTIONS + 2 * ROW
"""Of ``HeadParameters.hair``: these, then those of hair that hangs beside the head, left and right."""
WIDTH = 0.35
"""Radians over which what is known in one direction counts in others."""
HAIRLINE_M = 0.022
"""From the rim of the scalp inward, the way on which hair rises to its thickness."""

_SHELLS: WeakKeyDictionary[HeadModel, HairShell] = WeakKeyDictionary()


class HairShell:
    """What a thickness by direction does to the vertices of one head model.

    Attributes:
        scalp: (V,) bool, the vertices that hair grows on.
        center: (3,) metres, of the sphere that fits the average scalp best.
        directions: (64, 3), unit; Fibonacci's spiral around the vertical.
        hanging: what hair beside the head does.
    """

    def __init__(self, head: HeadModel) -> None:
        with torch.no_grad():
            template = head.vertices()[0].double().cpu().numpy()
        self.scalp = head.masks["scalp"].cpu().numpy()
        self.center = _sphere_center(template[self.scalp])
        self.directions = _spread_directions(DIRECTIONS)
        inward = _distance_from_rim(template, head.faces.cpu().numpy(), self.scalp)
        rise = smooth_step(inward[self.scalp] / HAIRLINE_M)
        shares = self.nearness(self.outward(template[self.scalp]))
        self.hanging = HangingShell(head, float(self.center[2]))
        self._weights = shares / shares.sum(1, keepdims=True) * rise[:, None]

    def outward(self, points: np.ndarray) -> np.ndarray:
        """Unit directions (N, 3) from the middle of the skull to points (N, 3), metres in the head's frame."""
        away = points - self.center
        return away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)

    def nearness(self, directions: np.ndarray) -> np.ndarray:
        """(N, 64), how much each of the shell's directions has to do with others (N, 3): 1 for the same, falling to 0."""
        return np.exp((directions @ self.directions.T - 1) / WIDTH**2)

    def grow(self, vertices: np.ndarray, hair: np.ndarray) -> np.ndarray:
        """A head with its hair.

        Args:
            vertices: (V, 3) metres, head frame.
            hair: (64,) metres, the first part of ``HeadParameters.hair``.

        Returns:
            (V, 3) float32.
        """
        out = np.array(vertices, np.float32)
        scalp = np.asarray(vertices, np.float64)[self.scalp]
        out[self.scalp] = scalp + self.outward(scalp) * (self._weights @ np.asarray(hair, np.float64))[:, None]
        return out


def hair_shell(head: HeadModel) -> HairShell:
    """The shell of a head model, made at first use and kept as long as the head."""
    if head not in _SHELLS:
        _SHELLS[head] = HairShell(head)
    return _SHELLS[head]


@torch.inference_mode()
def bald_vertices(parameters: HeadParameters, head: HeadModel) -> np.ndarray:
    """The head of the parameters (V, 3), float32 metres in its own frame, with expression and without hair."""
    identity, expression = (torch.from_numpy(np.asarray(x, np.float32))[None] for x in (parameters.identity, parameters.expression))
    return head.vertices(identity, expression, head.mean_weights(parameters))[0].numpy()


def grow_hair(vertices: np.ndarray, hair: np.ndarray | None, head: HeadModel) -> np.ndarray:
    """A bald head's vertices (V, 3) with what ``HeadParameters.hair`` says; as they are where that is None."""
    if hair is None:
        return vertices
    shell = hair_shell(head)
    standing, hanging = apart(hair)
    grown = shell.grow(vertices, standing)
    return grown if hanging is None else shell.hanging.grow(grown, hanging)


def checked_hair(values: Sequence[float]) -> np.ndarray:
    """Stored numbers as ``HeadParameters.hair``, float32.

    Raises:
        ValueError: they are not as many as hair has, with what hangs or without.
    """
    hair = np.array(values, np.float32)
    if hair.shape not in ((DIRECTIONS,), (NUMBERS,)):
        raise ValueError(f"hair has {DIRECTIONS} or {NUMBERS} numbers, not {hair.size}")
    return hair


def apart(hair: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The two halves of ``HeadParameters.hair``: what stands on the scalp (64,), and what hangs beside the head (2, ``ROW``), None
    where nothing does."""
    hanging = np.asarray(hair[DIRECTIONS:]).reshape(-1, ROW)
    return hair[:DIRECTIONS], hanging if hanging.any() else None


def hair_cover(vertices: np.ndarray, hair: np.ndarray | None, head: HeadModel) -> np.ndarray | None:
    """How far (V,), in [0, 1], hair hangs over ears and neck of a head with hair; None where none does."""
    hanging = None if hair is None else apart(hair)[1]
    return None if hanging is None else hair_shell(head).hanging.cover(vertices, hanging)


def without_neck(vertices: np.ndarray, hair: np.ndarray | None, head: HeadModel) -> torch.Tensor:
    """(V,) bool: a head with hair but for its neck, and what hair there is beside that, as overlays show it."""
    region, cover = ~head.masks["neck"], hair_cover(vertices, hair, head)
    return region if cover is None else region | torch.from_numpy(cover > 0.5)


def uncovered(region: torch.Tensor, vertices: np.ndarray, hair: np.ndarray | None, head: HeadModel) -> torch.Tensor:
    """(V,) bool: what of a region (V,) of a head with hair none hangs over."""
    cover = hair_cover(vertices, hair, head)
    return region if cover is None else region & torch.from_numpy(cover == 0)


def _sphere_center(points: np.ndarray) -> np.ndarray:
    """Centre (3,) of the sphere nearest to points (N, 3) in algebraic least squares, on the sagittal plane."""
    system = np.column_stack((2 * points, np.ones(len(points))))
    solution = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
    return solution[:3] * (0, 1, 1)


def _spread_directions(count: int) -> np.ndarray:
    """(count, 3) unit vectors, evenly over the sphere."""
    place = np.arange(count) + 0.5
    height, turn = 1 - 2 * place / count, np.pi * (1 + 5**0.5) * place
    around = np.sqrt(1 - height**2)
    return np.column_stack((np.cos(turn) * around, height, np.sin(turn) * around))


def _distance_from_rim(points: np.ndarray, faces: np.ndarray, region: np.ndarray) -> np.ndarray:
    """How far (V,) each vertex lies inside a region (V,), metres along the mesh's edges; 0 outside and where no edge leads out."""
    (distance,) = distances_along(points, faces, [np.flatnonzero(~region)])
    return np.where(region & np.isfinite(distance), distance, 0.0)
