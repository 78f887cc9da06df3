"""What the encoder is asked for: the true head where it is known, landmarks and plausibility elsewhere."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.faces.mouth import LIP_PAIRS
from facerecon.head import HeadModel
from facerecon.reconstruction.encoder import HeadCode

# Upper and lower lid, and lips, of the iBUG points: distances that alignment alone cannot get right.
EYE_PAIRS = ((37, 41), (38, 40), (43, 47), (44, 46))
PAIRS = torch.tensor((*EYE_PAIRS, *LIP_PAIRS, (51, 57)))
# What one of an expression costs a photo: little, and much of those that hardly anybody makes.
USUAL = 0.04
RARE = {"cheekPuff": 10.0, **dict.fromkeys(("mouthLeft", "mouthRight", "jawLeft", "jawRight", "jawForward", "mouthShrugUpper"), 0.6)}
# Yaws up to which labels of photos are trusted in full, and from which on as little as they ever are.
TRUSTED_TO, TRUSTED_NO_MORE, LEAST_TRUST = math.radians(30), math.radians(52), 0.05


def landmark_weights() -> Tensor:
    """(68,) of mean one: the contour is the least certain, eyes and mouth the most seen."""
    weights = torch.ones(68)
    weights[:17] = 0.7
    weights[36:48] = 1.3
    weights[48:] = 1.2
    return weights / weights.mean()


def landmark_trust(yaw: Tensor) -> Tensor:
    """Share (B,) of their usual weight that labels of landmarks on photos deserve, seen under ``yaw`` (B,) radians.

    Labels and networks trained on them draw profiles as faces turned by 50 degrees, the hidden eye in the air.
    """
    return 1 - (1 - LEAST_TRUST) * ((yaw.abs() - TRUSTED_TO) / (TRUSTED_NO_MORE - TRUSTED_TO)).clamp(0, 1)


def landmark_loss(found: Tensor, truth: Tensor, beta: float = 0.01) -> Tensor:
    """Huber distance and the error of eye and lip openings, (B,).

    Args:
        found: (B, 68, 2) crop sides.
        truth: (B, 68, 2).
        beta: errors beyond count linearly.
    """
    error = F.smooth_l1_loss(found, truth, beta=beta, reduction="none").sum(2)
    upper, lower = PAIRS.to(found.device).T
    opening = (found[:, upper] - found[:, lower]) - (truth[:, upper] - truth[:, lower])
    opening = F.smooth_l1_loss(opening, torch.zeros_like(opening), beta=beta, reduction="none").sum((1, 2)) / len(PAIRS)
    return (error * landmark_weights().to(found)).mean(1) + 0.5 * opening


def region_weights(head: HeadModel) -> Tensor:
    """(V,) of mean one over the head: the face counts most, what hair hides and the mouth's inside least."""
    weights = torch.full((head.vertex_count,), 0.15, device=head.faces.device)
    for name, weight in (("skin", 0.25), ("face", 1.0), ("lips", 1.5), ("eyes", 1.2)):
        if name in head.masks:
            weights[head.masks[name]] = weight
    for name in ("mouth_interior", "teeth", "tongue"):
        if name in head.masks:
            weights[head.masks[name]] = 0.1
    return weights / weights.mean()


def vertex_loss(found: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean distance in millimetres, (B,), of vertices (B, V, 3) metres with weights (V,) of mean one."""
    distance = ((found - truth) * 1000).square().sum(2).add(0.01).sqrt()
    return (distance * weights).mean(1)


def shape_loss(found: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """As ``vertex_loss`` once size, which a photo does not show, and place are taken away."""

    def normalized(points: Tensor) -> Tensor:
        total = weights.sum()
        centered = points - (points * weights[:, None]).sum(1, keepdim=True) / total
        size = ((centered.square().sum(2) * weights).sum(1) / total).sqrt()
        return centered / size[:, None, None] * 0.08

    return vertex_loss(normalized(found), normalized(truth), weights)


def expression_costs(head: HeadModel) -> Tensor:
    """(E,) what one of each expression costs in :func:`prior_loss`: landmarks alone would have every photo puff its cheeks."""
    return torch.tensor([RARE.get(name, USUAL) for name in head.expression_labels], device=head.faces.device)


def prior_loss(code: HeadCode, costs: Tensor) -> Tensor:
    """Identity as likely as scans say, few expressions at once and hardly the rare ones, (B,).

    Args:
        costs: of :func:`expression_costs`.
    """
    return code.identity.square().mean(1) + (code.expression.abs() * costs).sum(1)


def known_mean(values: Tensor, known: Tensor) -> Tensor:
    """Mean of ``values`` (B,) where ``known`` (B,) is true; zero where nothing is."""
    return torch.where(known, values, 0).sum() / known.sum().clamp_min(1)


def demographics_loss(code: HeadCode, age: Tensor, gender: Tensor, ancestry: Tensor) -> dict[str, Tensor]:
    """Losses by name against labels age (B,) years, gender (B,) and ancestry (B, 3); NaN where unknown."""
    age_known, gender_known, ancestry_known = ~age.isnan(), ~gender.isnan(), ~ancestry.isnan().any(1)
    years = F.smooth_l1_loss(code.age, age.nan_to_num(), beta=5.0, reduction="none") / 10
    sex = F.binary_cross_entropy_with_logits(code.logits["gender"], gender.nan_to_num(), reduction="none")
    people = -(ancestry.nan_to_num() * code.logits["ancestry"].log_softmax(1)).sum(1)
    return {
        "age": known_mean(years, age_known),
        "gender": known_mean(sex, gender_known),
        "ancestry": known_mean(people, ancestry_known),
    }
