"""A loss that holds a picture to the demographics of another, or to stated ones; differentiable in the picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.demographics.network import DemographicsNetwork


def consistency_loss(network: DemographicsNetwork, made: Tensor, truth: Tensor, age_weight: float = 1.0) -> Tensor:
    """How differently the estimator sees two sets of aligned crops.

    The Kullback-Leibler divergence of gender and race, and for age the distance between the
    two cumulative distributions (the earth mover's, in centuries), which unlike the former
    knows that 30 is nearer to 31 than to 60.

    Args:
        network: the frozen estimator; gradients pass through it to ``made``.
        made: (B, 3, S, S) in [0, 1], what a generator made; the estimator's crop.
        truth: (B, 3, S, S), what it should look like.
        age_weight: of the distance of ages.

    Returns:
        The mean over the batch.
    """
    with torch.no_grad():
        wanted = network(truth)
    seen = network(made)
    divergence = sum(
        F.kl_div(seen[head].log_softmax(1), wanted[head].log_softmax(1), log_target=True, reduction="batchmean")
        for head in ("gender", "fairface")
    )
    ages = (seen["age"].softmax(1) - wanted["age"].softmax(1)).cumsum(1).abs().mean(1)
    return divergence + age_weight * ages.mean()
