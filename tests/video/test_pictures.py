"""What of a head the frames of a video show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facerecon.head import HeadModel
from facerecon.head.hair import DIRECTIONS, grow_hair, hair_cover
from facerecon.head.hanging_hair import HEIGHTS_M
from facerecon.video.pictures import Layout, PosedHead, draw
from tests.reconstruction.hair_pictures import PHOTO, posed

LAYOUT = Layout(original=False, transparent=False, black_background=True)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.from_pretrained()


def drawn(head: HeadModel, hair: np.ndarray | None, use_mask: bool) -> np.ndarray:
    """Where the average head is shown, (H, W)."""
    person = PosedHead(grow_hair(head.vertices()[0].numpy(), hair, head), replace(posed(0), hair=hair))
    return draw(np.zeros((PHOTO, PHOTO, 3), np.uint8), [person], head, replace(LAYOUT, use_mask=use_mask)).any(-1)


def test_long_hair_is_shown_with_the_head_and_not_with_the_face(head):
    side = np.concatenate(([1.0], np.where(HEIGHTS_M > -0.15, 0.11, 0)))
    hair = np.concatenate((np.zeros(DIRECTIONS), side, side))
    bald, hairy = (drawn(head, h, use_mask=False) for h in (None, hair))
    assert hairy.sum(0).nonzero()[0].size > 1.2 * bald.sum(0).nonzero()[0].size
    assert np.flatnonzero(hairy.any(1)).max() > np.flatnonzero(bald.any(1)).max() + 5  # beside the neck, which is not shown
    cover = hair_cover(grow_hair(head.vertices()[0].numpy(), hair, head), hair, head)
    assert (cover[head.masks["face"].numpy()] > 0).any()
    assert not (drawn(head, hair, use_mask=True) & ~drawn(head, None, use_mask=True)).any()
