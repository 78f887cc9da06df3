"""A whole photo through the cleaner, piece by piece: what lies round the faces gets as clean as they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from facerecon.types import Image

TILE, MARGIN = 512, 32  # pixels: what is kept of a piece's side, and what it sees beyond on every side


@torch.inference_mode()
def clean_photo(photo: Image, network: Callable[[Tensor], Tensor], stride: int, device: torch.device) -> Image:
    """A photo (H, W, 3) uint8 as clean as ``network`` makes it, in memory that does not grow with the photo.

    Args:
        network: (1, 3, h, w) float32 in [0, 1] to the same, for sides that are multiples of ``stride``.
        device: of the network.
    """
    out = np.empty_like(photo)
    height, width = photo.shape[:2]
    for y0, y1 in _spans(height):
        for x0, x1 in _spans(width):
            piece = photo[_reach(y0, y1, height, stride)][:, _reach(x0, x1, width, stride)]
            seen = torch.from_numpy(piece).to(device).permute(2, 0, 1)[None].float() / 255
            result = network(seen.contiguous(memory_format=torch.channels_last)).clamp(0, 1)[0].permute(1, 2, 0)
            kept = result[MARGIN : MARGIN + y1 - y0, MARGIN : MARGIN + x1 - x0]
            out[y0:y1, x0:x1] = (kept * 255).round().byte().cpu().numpy()
    return out


def _spans(length: int) -> Iterator[tuple[int, int]]:
    for start in range(0, length, TILE):
        yield start, min(start + TILE, length)


def _reach(start: int, stop: int, length: int, stride: int) -> np.ndarray:
    """Which rows or columns a piece sees: its own, its margins and what ``stride`` wants, mirrored where the photo ends."""
    size = -(-(stop - start + 2 * MARGIN) // stride) * stride
    index = np.arange(start - MARGIN, start - MARGIN + size)
    period = max(2 * (length - 1), 1)
    index = np.abs(index) % period
    return np.where(index >= length, period - index, index)
