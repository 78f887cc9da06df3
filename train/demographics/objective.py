"""What the estimator is trained on: likelihoods of the annotators' labels.

A label of age is an interval (a year in UTKFace, a bin in FairFace) which an annotator
names with a normal error; its likelihood is summed over the network's distribution of
ages. Each race head also learns from the other dataset, as far as the tables of
``facerecon.demographics.labels`` say what a label of one means in the other.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.demographics.labels import UTKFACE_OF_FAIRFACE, fairface_to_utkface
from facerecon.demographics.network import AGES
from train.demographics.data import Labels

ANNOTATOR_YEARS = 2.0
SMOOTHING = {"gender": 0.04, "race": 0.06}
OTHER_SYSTEM = 0.4  # weight of labels translated from the other dataset
OTHERS = 4  # UTKFace's last label, too vague to be translated
_NESTED = torch.from_numpy(fairface_to_utkface())


def expected_age(logits: Tensor) -> Tensor:
    """Years (B,) from logits (B, 101)."""
    return logits.softmax(1) @ torch.arange(AGES, dtype=logits.dtype, device=logits.device)


def age_losses(logits: Tensor, interval: Tensor) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood (B,) of intervals (B, 2), and years (B,) by which the expected age misses them."""
    youngest, oldest = interval[:, :1], interval[:, 1:].clone()
    oldest[oldest >= 100] = 130.0  # "more than 70" has no end
    middles = torch.arange(AGES, device=logits.device) + 0.5
    normal = torch.special.ndtr
    named = normal((oldest - middles) / ANNOTATOR_YEARS) - normal((youngest - middles) / ANNOTATOR_YEARS)
    nll = -torch.logsumexp(logits.log_softmax(1) + named.clamp_min(1e-6).log(), dim=1)
    expected = expected_age(logits) + 0.5
    one_year = (oldest - youngest) < 1.5
    low, high = torch.where(one_year, youngest + 0.5, youngest), torch.where(one_year, youngest + 0.5, oldest)
    return nll, (low[:, 0] - expected).clamp_min(0) + (expected - high[:, 0]).clamp_min(0)


def race_losses(logits: dict[str, Tensor], labels: Labels) -> Tensor:
    """Loss (B,) of both race heads."""
    own = sum(
        F.cross_entropy(logits[k], getattr(labels, k), ignore_index=-1, reduction="none", label_smoothing=SMOOTHING["race"])
        for k in ("utkface", "fairface")
    )
    # FairFace's people under UTKFace's labels, but for those whom UTKFace calls White or Others as it likes.
    clear = (labels.fairface >= 0) & (labels.fairface < 5)
    told = torch.tensor(UTKFACE_OF_FAIRFACE, device=clear.device)[labels.fairface.clamp_min(0)]
    other = F.cross_entropy(logits["utkface"], told, reduction="none") * clear
    # UTKFace's people under the sum of those of FairFace's labels that theirs may mean.
    nested = _NESTED.to(clear.device)[:, labels.utkface.clamp_min(0)].T.clamp_min(1e-6).log()
    known = (labels.utkface >= 0) & (labels.utkface != OTHERS)
    other = other - torch.logsumexp(logits["fairface"].log_softmax(1) + nested, dim=1) * known
    return own + OTHER_SYSTEM * other


def losses(logits: dict[str, Tensor], labels: Labels) -> Tensor:
    """The whole loss (B,)."""
    nll, missed = age_losses(logits["age"], labels.age)
    known = labels.age[:, 0] >= 0
    age = (0.4 * nll + 0.06 * F.smooth_l1_loss(missed, torch.zeros_like(missed), reduction="none", beta=2.0)) * known
    gender = F.cross_entropy(
        logits["gender"], labels.male, ignore_index=-1, reduction="none", label_smoothing=SMOOTHING["gender"]
    )
    return age + gender + race_losses(logits, labels)
