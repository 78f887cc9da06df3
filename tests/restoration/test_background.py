"""A photo of any size through a network in pieces comes out as if it had gone through whole."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facerecon.restoration import background


def blur(batch):
    """Looks no further than a margin, and insists on sides that are multiples of 16."""
    assert batch.shape[-1] % 16 == 0 and batch.shape[-2] % 16 == 0
    return F.avg_pool2d(batch, 9, 1, 4, count_include_pad=False)


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (130, 65), (129, 128)])
def test_pieces_leave_no_seam(shape, monkeypatch):
    monkeypatch.setattr(background, "TILE", 64)
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    pieces = background.clean_photo(photo, blur, 16, torch.device("cpu"))
    padded = np.pad(photo, ((32, 32), (32, 32), (0, 0)), mode="reflect" if min(shape) > 1 else "edge")
    whole = F.avg_pool2d(torch.from_numpy(padded).permute(2, 0, 1)[None].float(), 9, 1, 4, count_include_pad=False)
    whole = whole[0].permute(1, 2, 0).numpy()[32 : 32 + shape[0], 32 : 32 + shape[1]]
    assert pieces.shape == photo.shape and np.abs(pieces - whole).max() <= 1
