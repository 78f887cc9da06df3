"""What makes an embedding: classes with a margin, contrast between photos, and what is known of people."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.demographics import RACES

UNKNOWN = -1
AGE_SCALE = 25.0  # years that count as one


class CosFace(nn.Module):
    """Large-margin cosine loss (Wang et al., CVPR 2018) over the named people.

    Args:
        embedding: length of the embeddings.
        classes: number of people.
        scale: of the cosines.
        margin: taken off the cosine with the right class.
    """

    def __init__(self, embedding: int, classes: int, scale: float = 24.0, margin: float = 0.2) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, embedding) * 0.01)
        self.scale, self.margin = scale, margin

    def forward(self, unit: Tensor, person: Tensor) -> Tensor:
        """Mean loss of the embeddings (B, D) of unit length whose ``person`` (B,) has a class."""
        known = person < len(self.weight)
        if not known.any():  # the mean of none is not a number
            return (unit.sum() + self.weight.sum()) * 0
        cosines = unit[known] @ F.normalize(self.weight.float(), dim=1).T
        margin = F.one_hot(person[known], len(self.weight)) * self.margin
        return F.cross_entropy((cosines - margin) * self.scale, person[known], label_smoothing=0.05)


class Contrast:
    """Supervised contrastive loss (Khosla et al., NeurIPS 2020) against the batch and a memory.

    The memory holds embeddings of the last batches (Wang et al., "Cross-Batch Memory", CVPR
    2020); it gives wrong people only.

    Args:
        temperature: of the cosines.
        memory: embeddings remembered.
        gather: rows of all processes from those of this one, as ``Accelerator.gather``: the memory is one for all.
    """

    def __init__(self, temperature: float = 0.1, memory: int = 4096, gather: Callable[[Tensor], Tensor] = lambda rows: rows) -> None:
        self.temperature, self.size, self.gather = temperature, memory, gather
        self.remembered: list[tuple[Tensor, Tensor]] = []

    def __call__(self, unit: Tensor, person: Tensor) -> Tensor:
        """Mean loss of embeddings (B, D) of unit length and their people (B,)."""
        logits = unit @ unit.T / self.temperature
        itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
        same = (person[:, None] == person[None]) & ~itself
        logits = logits.masked_fill(itself, -torch.inf)
        parts = [logits]
        if self.remembered:
            old, who = self.recall(unit.device)
            parts.append((unit @ old.T / self.temperature).masked_fill(person[:, None] == who[None], -torch.inf))
        log_sum = torch.logsumexp(torch.cat(parts, dim=1), dim=1, keepdim=True)
        likely = (logits - log_sum).masked_fill(~same, 0)
        loss = -(likely.sum(1) / same.sum(1).clamp(min=1))[same.any(1)].mean()
        self._remember(unit.detach(), person)
        return loss

    def recall(self, device: torch.device | str) -> tuple[Tensor, Tensor]:
        """What is remembered on a device, embeddings (M, D) and people (M,); a checkpoint's part comes from the CPU."""
        old, who = (torch.cat([rows.to(device) for rows in part]) for part in zip(*self.remembered))
        return old, who

    def state_dict(self) -> list[tuple[Tensor, Tensor]]:
        """What is remembered, for a checkpoint."""
        return list(self.remembered)

    def load_state_dict(self, state: list[tuple[Tensor, Tensor]]) -> None:
        """Takes over what :meth:`state_dict` gave."""
        self.remembered = list(state)

    def _remember(self, unit: Tensor, person: Tensor) -> None:
        if self.size:
            self.remembered.append((self.gather(unit), self.gather(person)))
        while sum(len(who) for _, who in self.remembered) > self.size:
            self.remembered.pop(0)


class Attributes(nn.Module):
    """Age, gender and race from the embedding, where they are known: a rein on what it learns."""

    def __init__(self, embedding: int) -> None:
        super().__init__()
        self.layers = nn.Linear(embedding, 1 + 2 + len(RACES))

    def forward(self, embedding: Tensor, age: Tensor, gender: Tensor, race: Tensor) -> Tensor:
        """Sum of three mean losses; embeddings (B, D) as the network gives them."""
        out = self.layers(embedding)
        known = age.isfinite()
        loss = out.sum() * 0
        if known.any():
            loss = loss + F.smooth_l1_loss(out[known, 0], (age[known] - 35) / AGE_SCALE, beta=0.2)
        for labels, part in ((gender, out[:, 1:3]), (race, out[:, 3:])):
            if (labels != UNKNOWN).any():
                loss = loss + F.cross_entropy(part, labels, ignore_index=UNKNOWN)
        return loss
