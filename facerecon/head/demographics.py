"""From age, gender and ancestry to the weights that move the head's mean."""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor

from facerecon.demographics import ANCESTRIES, ancestry_weights
from facerecon.demographics.categories import OLDEST
from facerecon.types import Demographics

DEFAULT_AGE = 35.0
"""Years, where the age is unknown."""

UNKNOWN_ANCESTRY = (1 / 3, 1 / 3, 1 / 3)


def describe(people: Sequence[Demographics]) -> tuple[Tensor, Tensor, Tensor]:
    """Age (B,), gender (B,) and ancestry (B, 3) as numbers; whatever is unknown becomes the average."""
    age = [DEFAULT_AGE if person.age is None else float(person.age) for person in people]
    gender = [0.5 if person.gender is None else float(person.gender == "male") for person in people]
    stated = [ancestry_weights(person.race, person.ethnicity) for person in people]
    ancestry = [UNKNOWN_ANCESTRY if weights is None else tuple(map(float, weights)) for weights in stated]
    return torch.tensor(age), torch.tensor(gender), torch.tensor(ancestry).reshape(-1, len(ANCESTRIES))


def encode(age: Tensor, gender: Tensor, ancestry: Tensor, age_table: Tensor) -> Tensor:
    """Blending weights of the baked means.

    Args:
        age: (B,) years, clamped to 0 to 100.
        gender: (B,) 0 female to 1 male.
        ancestry: (B, 3) summing to one.
        age_table: (101, A) weights of the A baked ages at every whole year.

    Returns:
        (B, A * 2 * 3), ordered age, gender, ancestry; sums to one; differentiable in all three.
    """
    year = age.clamp(0.0, OLDEST)
    lower = year.detach().floor().clamp(max=OLDEST - 1).long()
    fraction = (year - lower)[:, None]
    by_age = age_table[lower] * (1 - fraction) + age_table[lower + 1] * fraction
    by_gender = torch.stack((1 - gender, gender), dim=-1)
    weights = by_age[:, :, None, None] * by_gender[:, None, :, None] * ancestry[:, None, None, :]
    return weights.flatten(1)
