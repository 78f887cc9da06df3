"""What is stated of a person, as the code transformer hears it.

The transformer's layers are scaled and shifted by it (Perez et al., "FiLM", AAAI 2018). Whatever is not stated is zero,
and training leaves everything out of some photos, so that the network knows what a face of nobody in particular is.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from facerecon.demographics.categories import GENDERS
from facerecon.types import Demographics

# Those that the training labels tell apart; the others of ``RACES`` say nothing here.
TOLD_APART = ("African", "Asian", "Caucasian", "Hispanic/Latino", "Indian", "Middle Eastern")
CONDITION_PARTS = 2, len(GENDERS), len(TOLD_APART)  # numbers for age, gender and race
CONDITION_SIZE = sum(CONDITION_PARTS)
_MIDDLE_AGE, _YEARS = 35.0, 35.0


def condition_vector(person: Demographics | None) -> np.ndarray:
    """(CONDITION_SIZE,) float32: age known, age, female, male, one of ``TOLD_APART``; zero where nothing is stated."""
    vector = np.zeros(CONDITION_SIZE, np.float32)
    if person is None:
        return vector
    if person.age is not None:
        vector[:2] = 1, (person.age - _MIDDLE_AGE) / _YEARS
    if person.gender is not None:
        vector[2 + GENDERS.index(person.gender)] = 1
    if person.race in TOLD_APART:
        vector[2 + len(GENDERS) + TOLD_APART.index(person.race)] = 1
    return vector


class Modulation(nn.Module):
    """Scales and shifts for every layer of a transformer from a condition; none before training."""

    def __init__(self, layers: int, dim: int, hidden: int = 64) -> None:
        super().__init__()
        self.shape = layers, 2, 1, dim
        self.hidden = nn.Linear(CONDITION_SIZE, hidden)
        self.out = nn.Linear(hidden, layers * 2 * dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, condition: Tensor) -> Tensor:
        """(B, CONDITION_SIZE) to (layers, 2, B, 1, dim)."""
        hidden = nn.functional.silu(self.hidden(condition.to(self.hidden.weight.dtype)))
        return self.out(hidden).unflatten(1, self.shape).permute(1, 2, 0, 3, 4)
