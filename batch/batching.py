"""Batches that fit into memory: so many photos, and so many pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from PIL import Image as PillowImage

from batch.inputs import Photo
from batch.sources import is_remote
from facerecon.images import WORKING_PIXELS

UNKNOWN_PIXELS = 3_000_000  # of a photo that is not on this machine
PIXELS = 16_000_000  # of a batch; a single photo may have as many


def make_batches(photos: Iterable[Photo], size: int) -> Iterator[list[Photo]]:
    """Batches of at most ``size`` photos and about ``PIXELS`` pixels, in order."""
    batch: list[Photo] = []
    total = 0
    for photo in photos:
        pixels = pixels_of(photo)
        if batch and (len(batch) == size or total + pixels > PIXELS):
            yield batch
            batch, total = [], 0
        batch.append(photo)
        total += pixels
    if batch:
        yield batch


def pixels_of(photo: Photo) -> int:
    """How many pixels a photo has once it is read, from its header alone; a guess where that would be dear."""
    if photo.refusal is not None:
        return 0
    if photo.span is not None or is_remote(photo.location):
        return UNKNOWN_PIXELS
    try:
        with PillowImage.open(photo.location) as picture:
            return min(picture.width * picture.height, WORKING_PIXELS)
    except Exception:  # Pillow raises anything on damaged headers; reading it will say why
        return 0
