"""What the parser is trained to do."""

from __future__ import annotations

import torch
from torch import Tensor

from facerecon.faces.masks import CLASSES

# Features and what stands in front are few pixels and matter most.
IMPORTANCE = dict(zip(CLASSES, (1.0, 1.0, 2.0, 1.5, 1.3, 2.0), strict=True))
_DICE_WEIGHT = 0.5
_LEAST = 1e-5  # chance: so that one wrong label cannot rule a batch


def membership(allowed: Tensor) -> Tensor:
    """Sets of classes (B, H, W) uint8 as (B, C, H, W) float32 of 0 and 1."""
    bits = torch.arange(len(CLASSES), dtype=torch.uint8, device=allowed.device)[None, :, None, None]
    return ((allowed[:, None] >> bits) & 1).float()


def partial_cross_entropy(logits: Tensor, allowed: Tensor, weight: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """How surprising it is that each pixel is one of its set, and soft overlap where the set has one class.

    The overlap is Dice's coefficient (Milletari et al., "V-Net", 3DV 2016) by class, over the batch.

    Args:
        logits: (B, C, H, W) float32.
        allowed: (B, H, W) uint8 sets.
        weight: (B, H, W) float32.
    """
    member, chance = membership(allowed), logits.softmax(1)
    importance = torch.tensor(list(IMPORTANCE.values()), dtype=logits.dtype, device=logits.device)
    count = member.sum(1)
    share = weight * (count < len(CLASSES)) * torch.einsum("bchw,c->bhw", member, importance) / count
    hit = chance * member
    entropy = -(hit.sum(1).clamp_min(_LEAST).log() * share).sum() / share.sum().clamp_min(1)
    single = (count == 1) * weight
    overlap, guessed, true = (torch.einsum("bchw,bhw->c", values, single) for values in (hit, chance, member))
    dice = 1 - ((2 * overlap + 1) / (guessed + true + 1)).mean()
    return entropy + _DICE_WEIGHT * dice, {"entropy": entropy.detach(), "dice": dice.detach()}
