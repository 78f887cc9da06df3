"""Stated, estimated and seen demographics, brought together in one head.

What a user states moves the head's mean and stands in the result. Where it flatly
contradicts a photo, as the calibrated estimator judges, the photo keeps its say about the
shape: the mean goes half of the way, and the identity takes up as much of that move as it can.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facerecon.demographics import ancestry_weights
from facerecon.demographics.estimator import DemographicsEstimate
from facerecon.head import HeadModel
from facerecon.types import Demographics

# A stated value contradicts the photo when the estimator gives it less than this probability,
AGAINST = {"gender": 0.04, "race": 0.02}
# or when it lies further from the estimated age than so many standard deviations and years.
AGE_STDS, AGE_YEARS = 3.0, 6.0
# How dear identity is against the shape it keeps, in mean variances of the face by one standard deviation.
STIFFNESS = 0.01
# How far the mean goes toward a value that the photo contradicts.
HALF_WAY = 0.5


def contradictions(known: Demographics | None, seen: DemographicsEstimate) -> list[str]:
    """Which of ``"age"``, ``"gender"`` and ``"race"`` the user states against what the photo shows."""
    if known is None:
        return []
    found = []
    if known.age is not None and abs(known.age - seen.age) > AGE_STDS * seen.age_std + AGE_YEARS:
        found.append("age")
    if known.gender is not None and seen.gender[known.gender] < AGAINST["gender"]:
        found.append("gender")
    if known.race in seen.race and seen.race[known.race] < AGAINST["race"]:
        found.append("race")
    return found


def in_numbers(seen: DemographicsEstimate) -> tuple[Tensor, Tensor, Tensor]:
    """Age (1,) years, gender (1,) 0 female to 1 male, and ancestry (1, 3), each as sure as the estimate is."""
    ancestry = sum(p * torch.from_numpy(ancestry_weights(race)) for race, p in seen.race.items())
    return torch.tensor([seen.age]), torch.tensor([seen.gender["male"]]), (ancestry / ancestry.sum())[None].float()


def reconcile(head: HeadModel, identity: Tensor, seen: Tensor, stated: Tensor) -> tuple[Tensor, Tensor]:
    """Identity (B, K) and mean weights (B, D) for a stated mean that the photo contradicts; see :func:`keep_shape`."""
    weights = torch.lerp(seen, stated, HALF_WAY)
    return keep_shape(head, identity, seen, weights), weights


@torch.inference_mode()
def keep_shape(head: HeadModel, identity: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """The identity (B, K) under which a face looks most as before when its mean moves.

    Regularised least squares over the vertices of the face.

    Args:
        head: the head model.
        identity: (B, K) standard deviations, under the mean ``before``.
        before, after: (B, D) weights of the two means.
    """
    means, components = head.mean_coefficients.shape[1], identity.shape[1]
    face = (head.masks["face"].nonzero()[:, 0, None] * 3 + torch.arange(3)).flatten()
    basis = head.shape_basis[means : means + components][:, face]
    gram = basis @ basis.T
    gram = gram + STIFFNESS * gram.diagonal().mean() * torch.eye(components)
    move = ((after - before) @ head.mean_coefficients) @ head.shape_basis[:means][:, face]
    old, new = (before @ head.identity_scale)[:, None], (after @ head.identity_scale)[:, None]
    return identity * old / new - torch.linalg.solve(gram, basis @ move.T).T / new
