"""``--same-person``: one shape from all photos of a run, before any head is written."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from batch.inputs import Photo
from batch.lock import locked
from batch.manifest import digest
from batch.photo_task import PhotoTask, Settings
from batch.place import Place, need_one_machine
from batch.ranks import Ranks
from batch.reading import read_photo
from batch.sources import content_key
from batch.worker import raise_if_full
from facerecon.types import Demographics, FaceReconError, PersonShape

FILE = "person.json"
DIGITS = 5
_PATIENCE_S = 0.5  # between two looks for another process's file
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


def with_shared_shape(
    settings: Settings, photos: Iterable[Photo], place: Place, device: str, ranks: Ranks = Ranks(), dry: bool = False,
    follow: Callable[[list[Photo]], Iterable[Photo]] = iter,
) -> Settings:  # fmt: skip
    """The settings with the shape of the person whom all photos show.

    The shape is kept in ``person.json`` of the output folder and made anew when a photo, the
    settings or the weights have changed. Photos without a face are left out here; the run records
    them as failed.

    Args:
        ranks: of several processes the first one measures, and the others wait for its file.
        dry: only look; a shape that is not there is a name for what would be measured.
        follow: shows how far the measuring is, see ``batch.session.follow``.

    Raises:
        BusyError: another run writes to the place.
        FaceReconError: no photo shows a face, or a network cannot be loaded.
    """
    settings = replace(settings, faces="largest" if settings.faces == "all" else settings.faces)
    task, photos = PhotoTask(settings, device), list(photos)
    known = {"settings": task.settings(), "versions": task.versions(), "photos": [content_key(p) for p in photos]}
    file, key = place.home / FILE, digest(known)
    if dry:
        return replace(settings, person=_read(file, key) or _not_there_yet(key))
    need_one_machine(place, ranks)
    with locked(place.home, ranks.member):
        shape = _read(file, key)
        if shape is None and ranks.rank == 0:
            shape = _measure(task, follow(photos), key)
            _write(place, file, shape)
        while shape is None:
            time.sleep(_PATIENCE_S)  # should the first process fail, the launcher stops this one, too
            shape = _read(file, key)
    return replace(settings, person=shape)


def _not_there_yet(key: str) -> SharedShape:
    logger.warning("%s is not there, or not of these photos and settings: it would be made first.", FILE)
    return SharedShape((), (), Demographics(), 0, key)


def _write(place: Place, file: Path, shape: SharedShape) -> None:
    from facerecon.outputs import write_json

    write_json(file, asdict(shape))
    place.save([file])


def _measure(task: PhotoTask, photos: Iterable[Photo], key: str) -> SharedShape:
    from facerecon.reconstruction.same_person import fuse_shapes

    task.pipeline.load(restoration=False)
    heads: list[Any] = []
    for photo in photos:
        try:
            seen, given = read_photo(photo, task.max_side, tell=False), task.given
            heads += task.pipeline.reconstruct(seen.image, given.demographics, False, given.faces, seen.focal_px, task.options)
        except Exception as error:  # whatever is wrong with one photo must not cost the others
            raise_if_full(error)
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
