"""Pictures of what a stage has learned so far."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from facerecon.restoration.cleaner import Cleaner, CoarseCleaner
from facerecon.restoration.codeformer import CodeFormer
from facerecon.restoration.colouring import ColourNetwork
from facerecon.restoration.texture import TextureNetwork, draw
from facerecon.types import Image
from train.restoration.losses import from_ycc, to_ycc

ROWS = 6


@torch.no_grad()
def samples(network: nn.Module, clean: Tensor, degraded: Tensor) -> Image:
    """A sheet of a batch (B, 3, S, S): what comes in, what the network makes of it, the truth.

    All of CodeFormer at fidelities 0, 0.5 and 1; texture beside the face it is drawn on, and alone.
    """
    clean, degraded = clean[:ROWS], degraded[:ROWS]
    if isinstance(network, CodeFormer):
        columns = [degraded, *(network(degraded, w) for w in (0.0, 0.5, 1.0)), clean]
    elif isinstance(network, Cleaner):
        columns = [degraded, network.coarse_to_fine(degraded), clean]
    elif isinstance(network, CoarseCleaner):
        columns = [degraded, network(degraded), clean]
    elif isinstance(network, TextureNetwork):
        texture = draw(network(clean)) / 255
        columns = [clean, clean + texture, 0.5 + texture.expand_as(clean)]
    elif isinstance(network, ColourNetwork):
        luma = to_ycc(clean)[:, :1]
        columns = [luma.expand_as(clean), from_ycc(torch.cat([luma, network(luma)], 1)), clean]
    else:
        columns = [clean, network(clean.to(torch.bfloat16))[0]]
    rows = torch.cat([c.float().clamp(0, 1) for c in columns], 3)
    sheet = (rows.permute(0, 2, 3, 1).flatten(0, 1) * 255).byte().cpu().numpy()
    return np.ascontiguousarray(sheet)
