"""Reads a photo of a run, in the one way that all commands share."""

from __future__ import annotations

import logging

from batch.inputs import Photo
from batch.sources import local_file
from batch.task import Loaded
from facerecon.images import focal_px_from_exif, load_image
from facerecon.scaling import shrink_to, size_within
from facerecon.types import FaceReconError, Image

logger = logging.getLogger("facerecon.batch")


def read_photo(photo: Photo, max_side: int | None, tell: bool = True) -> Loaded:
    """A photo, upright and at most ``max_side`` pixels long; ``tell`` warns where that reduces it.

    Raises:
        FaceReconError: it must not or cannot be read.
    """
    if photo.refusal is not None:
        raise FaceReconError(photo.refusal)
    with local_file(photo) as path:
        image = _shrink(load_image(path), max_side, path.name if tell else None)
        return Loaded(photo, image, focal_px_from_exif(path, image.shape[1]))


def _shrink(image: Image, max_side: int | None, name: str | None) -> Image:
    """A photo with its longer side at most ``max_side``, with a warning where that changes it and it has a name."""
    if max_side is None or max(image.shape[:2]) <= max_side:
        return image
    size = size_within(image, max_side)
    if name is not None:
        height, width = image.shape[:2]
        logger.warning("%s is reduced from %d x %d to %d x %d.", name, width, height, *size)
    return shrink_to(image, size)
