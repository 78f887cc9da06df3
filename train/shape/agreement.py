"""Do shapes agree with what is known of the people? Judged by another kind of reader than the one that trained them.

The consistency loss reads shapes linearly. Judging them by that reader would find what it taught; here groups of people,
drawn anew from the head model, are normal distributions each with a covariance of its own (quadratic discriminants).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from facerecon.reconstruction.metric_shape import ShapeCode
from train.shape.consistency import NOISE_MM, draw_people, places_of
from train.shape.space import ShapeSpace

PEOPLE, SEED = 8000, 1  # the loss's reader has seed 0
CLEAR_GENDER, CLEAR_ANCESTRY = 0.9, 0.6  # least weight of one group; mixtures between belong to none
AGES = (18.0, 60.0)


class ShapeJudge:
    """Tells gender, ancestry and age group from shapes.

    Args:
        space: of the head model's shapes.
        people: how many to draw.
    """

    def __init__(self, space: ShapeSpace, people: int = PEOPLE) -> None:
        self.space = space
        code = draw_people(people, len(space.head.identity_labels), SEED)
        places, groups = places_of(space, code), groups_of(code.age, code.gender, code.ancestry)
        self.normals = {name: [_normal(places[number == i]) for i in range(number.max() + 1)] for name, number in groups.items()}

    def __call__(self, code: ShapeCode) -> dict[str, Tensor]:
        """The likeliest group (B,) of each shape by name."""
        places = places_of(self.space, code)
        scores = {name: [_likelihood(places, *normal) for normal in normals] for name, normals in self.normals.items()}
        return {name: torch.stack(columns).argmax(0) for name, columns in scores.items()}

    def agreement(self, code: ShapeCode, age: Tensor, gender: Tensor, ancestry: Tensor) -> dict[str, float]:
        """Percent of the shapes that look like people of their true group, by name, among those whose truth is known and clear."""
        found, truth = self(code), groups_of(age, gender, ancestry)
        rates = {name: (found[name] == number)[number >= 0].double().mean().item() for name, number in truth.items()}
        return {f"{name}_percent": round(100 * rate, 1) for name, rate in rates.items() if not np.isnan(rate)}


def groups_of(age: Tensor, gender: Tensor, ancestry: Tensor) -> dict[str, Tensor]:
    """Number (B,) of each one's group, -1 where it is unknown or a mixture: gender, ancestry, age under 18, to 60 and over."""
    nowhere = torch.tensor(-1)
    main = ancestry.nan_to_num(0.0).max(1)
    years = torch.bucketize(age.nan_to_num(0.0).contiguous(), torch.tensor(AGES))
    return {
        "gender": torch.where((gender - 0.5).abs() >= CLEAR_GENDER - 0.5, (gender > 0.5).long(), nowhere),
        "ancestry": torch.where(main.values >= CLEAR_ANCESTRY, main.indices, nowhere),
        "age": torch.where(age.isnan(), nowhere, years),
    }


def _normal(places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, factor of the inverse covariance and logarithm of its root's determinant, of places (N, D)."""
    covariance = torch.cov(places.T).double() + NOISE_MM**2 * torch.eye(places.shape[1], dtype=torch.double)
    factor = torch.linalg.cholesky(torch.linalg.inv(covariance))
    return places.mean(0).double(), factor, factor.diagonal().log().sum()


def _likelihood(places: Tensor, mean: Tensor, factor: Tensor, volume: Tensor) -> Tensor:
    """(B,) logarithm of the density but for a constant."""
    return volume - ((places.double() - mean) @ factor).square().sum(1) / 2
