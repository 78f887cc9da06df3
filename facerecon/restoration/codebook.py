"""Vector quantisation with a learned codebook.

van den Oord et al., "Neural Discrete Representation Learning", NeurIPS 2017, with
the moving-average codebook of its appendix and the restart of unused codes of
Jukebox (Dhariwal et al., 2020). Codes and features are compared on the unit
sphere, as in Yu et al., "Vector-quantized Image Modeling with Improved VQGAN",
ICLR 2022, which keeps all codes in use.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Codebook(nn.Module):
    """``size`` unit vectors of length ``dim``."""

    def __init__(self, size: int, dim: int, decay: float = 0.98) -> None:
        super().__init__()
        self.decay = decay
        codes = F.normalize(torch.randn(size, dim), dim=1)
        self.register_buffer("codes", codes)
        self.register_buffer("usage", torch.ones(size))
        self.register_buffer("sums", codes.clone())

    def lookup(self, indices: Tensor) -> Tensor:
        """The codes of ``indices`` (...,) as (..., dim)."""
        return F.embedding(indices, self.codes)

    def nearest(self, features: Tensor) -> Tensor:
        """Index of the nearest code of each feature: (N, dim) -> (N,)."""
        return (F.normalize(features, dim=1) @ self.codes.T.to(features.dtype)).argmax(1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantises a map of features, straight-through.

        Args:
            features: (B, dim, H, W).

        Returns:
            quantised (B, dim, H, W), indices (B, H, W), commitment loss ().
        """
        b, d, h, w = features.shape
        unit = F.normalize(features.float(), dim=1)
        flat = unit.permute(0, 2, 3, 1).reshape(-1, d)
        indices = self.nearest(flat)
        if self.training:
            self._update(flat.detach(), indices)
        quantised = self.lookup(indices).view(b, h, w, d).permute(0, 3, 1, 2)
        commitment = (unit - quantised.detach()).square().sum(1).mean()
        passed = unit + (quantised - unit).detach()
        return passed.to(features.dtype), indices.view(b, h, w), commitment

    @torch.no_grad()
    def _update(self, flat: Tensor, indices: Tensor) -> None:
        counts = torch.bincount(indices, minlength=len(self.codes)).float()
        sums = torch.zeros_like(self.sums).index_add_(0, indices, flat)
        self.usage.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        dead = self.usage < 0.02 * len(flat) / len(self.codes)
        if dead.any():
            fresh = flat[torch.randint(len(flat), (int(dead.sum()),))]
            self.sums[dead] = fresh
            self.usage[dead] = self.usage.mean().clamp(min=1.0)
        self.renew()

    @torch.no_grad()
    def renew(self) -> None:
        """Sets the codes to the directions of ``sums``."""
        self.codes.copy_(F.normalize(self.sums, dim=1))

    def perplexity(self) -> Tensor:
        """Effective number of codes in use, exp of the entropy of their use."""
        p = self.usage / self.usage.sum()
        return (-(p * (p + 1e-10).log()).sum()).exp()
