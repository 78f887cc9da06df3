"""Code prediction: which codes a clean face would have had (stage II)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.restoration.conditioning import Modulation
from facerecon.restoration.configuration import RestorationConfig


class TransformerLayer(nn.Module):
    """Pre-norm self-attention and a feed-forward network of twice the width."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:  # (B, N, D), (2, B, 1, D) -> (B, N, D)
        b, n, d = x.shape
        scale, shift = modulation
        q, k, v = self.qkv(self.norm_attention(x) * (1 + scale) + shift).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))
        return x + self.mlp(self.norm_mlp(x))


class CodeTransformer(nn.Module):
    """Global attention over the grid of degraded features gives logits over the codes."""

    def __init__(self, config: RestorationConfig) -> None:
        super().__init__()
        dim = config.transformer_dim
        self.embed = nn.Conv2d(config.channels[-1], dim, 1)
        self.position = nn.Parameter(torch.randn(1, config.grid**2, dim) * 0.02)
        self.layers = nn.ModuleList(
            TransformerLayer(dim, config.transformer_heads) for _ in range(config.transformer_layers)
        )
        self.modulation = Modulation(config.transformer_layers, dim)
        self.norm = nn.LayerNorm(dim)
        self.to_logits = nn.Linear(dim, config.codebook_size)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """(B, C, grid, grid), the coarsest encoder features, and ``conditioning``'s (B, CONDITION_SIZE) to logits
        (B, grid * grid, codebook_size)."""
        x = self.embed(features).flatten(2).transpose(1, 2) + self.position
        for layer, modulation in zip(self.layers, self.modulation(condition)):
            x = layer(x, modulation)
        return self.to_logits(self.norm(x))
