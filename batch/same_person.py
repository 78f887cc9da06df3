"""``--same-person``: one shape from all photos of a run, before any head is written."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from batch.inputs import Photo
from batch.manifest import digest
from batch.photo_task import PhotoTask, Settings
from batch.place import Place
from batch.ranks import Ranks
from batch.sources import content_key, local_file
from facerecon.images import focal_px_from_exif, load_image
from facerecon.types import Demographics, FaceReconError, PersonShape

FILE = "person.json"
DIGITS = 5
logger = logging.getLogger("facerecon.batch")


@dataclass(frozen=True)
class SharedShape:
    """The shape of a run's person, as plain values that travel to other processes and files.

    Attributes:
        identity, mean_weights, demographics: as ``PersonShape`` has them.
        photos: how many photos it was made from.
        key: digest of what it was made from.
    """

    identity: tuple[float, ...]
    mean_weights: tuple[float, ...]
    demographics: Demographics
    photos: int
    key: str

    def shape(self) -> PersonShape:
        """For the pipeline."""
        identity, weights = (np.array(values, np.float32) for values in (self.identity, self.mean_weights))
        return PersonShape(identity, weights, self.demographics)


def with_shared_shape(settings: Settings, photos: Iterable[Photo], output: str, device: str) -> Settings:
    """The settings with the shape of the person whom all photos show.

    The shape is kept in ``person.json`` of the output folder and made anew when a photo, the
    settings or the weights have changed. Photos without a face are left out here; the run records
    them as failed.

    Raises:
        FaceReconError: no photo shows a face, or a network cannot be loaded.
    """
    from facerecon.outputs import write_json

    settings = replace(settings, faces="largest" if settings.faces == "all" else settings.faces)
    task, photos = PhotoTask(settings, device), list(photos)
    known = {"settings": task.settings(), "versions": task.versions(), "photos": [content_key(p) for p in photos]}
    file = Place(output).home / FILE
    shape = _read(file, digest(known)) or _measure(task, photos, digest(known))
    if Ranks.of_this_process().rank == 0:
        write_json(file, asdict(shape))
        Place(output).save([file])
    return replace(settings, person=shape)


def _measure(task: PhotoTask, photos: list[Photo], key: str) -> SharedShape:
    from facerecon.reconstruction.same_person import fuse_shapes

    task.pipeline.load(restoration=False)
    heads: list[Any] = []
    for photo in photos:
        if photo.refusal is not None:
            continue
        try:
            with local_file(photo) as path:
                image = load_image(path)
                focal = focal_px_from_exif(path, image.shape[1])
            heads += task.pipeline.reconstruct(image, task.given.demographics, False, task.given.faces, focal, task.options)
        except FaceReconError as error:
            logger.debug("%s tells nothing of the person: %s", photo.relative, error)
    if not heads:
        raise FaceReconError("No photo shows a face, so there is no person to take the shape from.")
    shape = fuse_shapes(heads)
    identity, weights = (tuple(np.round(v.astype(float), DIGITS).tolist()) for v in (shape.identity, shape.mean_weights))
    return SharedShape(identity, weights, shape.demographics, len(heads), key)


def _read(file: Path, key: str) -> SharedShape | None:
    """The shape in a file, or None where there is none or it was made from something else."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if values["key"] != key:
            return None
        person = Demographics(**values["demographics"])
        return SharedShape(tuple(values["identity"]), tuple(values["mean_weights"]), person, values["photos"], key)
    except (OSError, ValueError, KeyError, TypeError):
        return None
