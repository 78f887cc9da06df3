"""What the networks say of every face in every frame; restored frames on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np

from facerecon.pipeline import FaceReconstructor
from facerecon.restoration.photo import align_face, enlarge, finish_face, is_sharp, reconstruction_sources
from facerecon.types import Demographics, Face, Image, Reconstruction, Restoration, RestoredFace
from facerecon.video.reading import Frame
from facerecon.video.store import Table
from facerecon.video.tracks import FaceTracker, Sighting

FRAMES_AT_ONCE = 4  # frames whose faces share a batch
# Frames by which a face must have been sharp more often than not, or the other way round, before
# its track changes over: heads from restored and from untouched pixels differ a little.
_MOST_VOTES = 12


class Embedder(Protocol):
    """What ``facerecon.identity.IdentityEncoder`` does."""

    def embed_faces(self, image: Image, faces: list[Face]) -> np.ndarray:
        """(n, d) unit vectors."""
        ...


@dataclass(frozen=True)
class Wishes:
    """What is done to each frame.

    Attributes:
        restore: restore the faces, and rebuild heads from restored ones where that helps.
        fidelity, upscale, demographics: as ``FaceReconstructor.run`` takes them.
        detect_every: frames from one look of the detector to the next.
        hair: give textured heads the volume of the hair in the frame that shows the face best.
    """

    restore: bool = True
    fidelity: float = 0.7
    upscale: int = 1
    demographics: Demographics | None = None
    detect_every: int = 5
    hair: bool = True


class VideoAnalyst:
    """Goes through a video in order, a few frames at a time.

    Args:
        pipeline: detector and networks.
        wishes: what to do.
        embedder: tells people apart; None leaves that to the boxes.
    """

    def __init__(self, pipeline: FaceReconstructor, wishes: Wishes, embedder: Embedder | None = None) -> None:
        self.pipeline, self.wishes, self.embedder = pipeline, wishes, embedder
        # A detector whose points the landmarks refine lends them: they correct flow between its looks, too.
        landmarker = getattr(pipeline.detector, "landmarker", None)
        self._tracker = FaceTracker(pipeline.detector, wishes.detect_every, landmarker)
        self._votes: dict[int, int] = {}

    def analyse(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Image, list[dict[str, Any]]]]:
        """Each frame with its restored picture (the frame enlarged, without ``restore``) and one row a face."""
        frames = iter(frames)
        while group := list(islice(frames, FRAMES_AT_ONCE)):
            sightings, scenes = [], []
            for frame in group:
                sightings.append(self._tracker.update(frame.image))
                scenes.append(self._tracker.scene)
            images = [frame.image for frame in group]
            chosen = [[(seen.track, seen.face) for seen in found] for found in sightings]
            restorations = self._restore(images, chosen)
            sharp = [[self._stays_sharp(face) for face in r.faces] for r in restorations]
            work = [
                source
                for image, r, clear in zip(images, restorations, sharp)
                for source in self._sources(image, r, clear)
            ]
            heads = self.pipeline.reconstruct_found(work, chosen, self.wishes.demographics, False, None)
            for frame, scene, found, restoration, of_frame in zip(group, scenes, sightings, restorations, heads):
                looks = self._embed(frame.image, found)
                rows = [
                    {**_place(frame, scene, seen), **_numbers(head, face), "embedding": look}
                    for seen, head, face, look in zip(found, of_frame, restoration.faces, looks)
                ]
                yield frame, restoration.image, rows

    def _restore(self, images: list[Image], chosen: list[list[tuple[int, Face]]]) -> list[Restoration]:
        wishes = self.wishes
        if wishes.restore:
            return self.pipeline.restore_found(
                images, chosen, wishes.fidelity, wishes.upscale, score=False, surroundings=False
            )
        untouched = []
        for image, found in zip(images, chosen):
            faces = [align_face(image, number, face) for number, face in found]
            faces = [finish_face(face, face.crop) for face in faces]
            untouched.append(Restoration(enlarge(image, wishes.upscale), faces, wishes.upscale, wishes.fidelity))
        return untouched

    def _sources(self, image: Image, restoration: Restoration, sharp: list[bool]) -> list[tuple[Image, int]]:
        if not self.wishes.restore:
            return [(image, 1)] * len(restoration.faces)
        return reconstruction_sources(image, restoration, sharp)

    def _stays_sharp(self, face: RestoredFace) -> bool:
        """Whether the track's head is rebuilt from the frame itself: what most of its last frames would have."""
        clear = is_sharp(face)
        votes = self._votes.get(face.index, _MOST_VOTES if clear else -_MOST_VOTES) + (1 if clear else -1)
        self._votes[face.index] = max(-_MOST_VOTES, min(_MOST_VOTES, votes))
        return self._votes[face.index] >= 0

    def _embed(self, image: Image, found: list[Sighting]) -> list[np.ndarray]:
        """An embedding of each face that the detector saw in this frame; zeros for the others, empty without embedder."""
        if self.embedder is None:
            return [np.zeros(0, np.float32)] * len(found)
        looks = self.embedder.embed_faces(image, [seen.face for seen in found])
        return [look * np.float32(seen.detected) for look, seen in zip(looks, found)]

    def state(self) -> Table:
        """All that the next frame needs, as arrays."""
        votes = np.array(sorted(self._votes.items()), np.int64).reshape(-1, 2)
        return {"votes": votes, **self._tracker.state()}

    def restore_state(self, state: Table) -> None:
        """Goes on from a state, as if there had been no break."""
        self._votes = {int(track): int(votes) for track, votes in state["votes"]}
        self._tracker.restore(state)


def to_table(rows: list[dict[str, Any]]) -> Table:
    """Columns from rows; no columns from no rows."""
    return {name: np.stack([np.asarray(row[name]) for row in rows]) for name in (rows[0] if rows else ())}


def _place(frame: Frame, scene: int, seen: Sighting) -> dict[str, Any]:
    return {
        "frame": np.int64(frame.index),
        "pts": np.int64(frame.pts),
        "scene": np.int32(scene),
        "track": np.int32(seen.track),
        "detected": np.bool_(seen.detected),
        "score": np.float32(seen.face.score),
        "box": seen.face.box,
        "points": seen.face.points,
    }


def _numbers(head: Reconstruction, face: RestoredFace) -> dict[str, Any]:
    """What the encoder said of one face, and how good the picture was."""
    p = head.parameters
    weights = np.zeros(0) if p.mean_weights is None else p.mean_weights
    known = p.demographics
    return {
        "landmarks_68": np.asarray(head.landmarks_68, np.float32),
        "identity": np.asarray(p.identity, np.float32),
        "expression": np.asarray(p.expression, np.float32),
        "rotation": np.asarray(p.rotation, np.float32),
        "translation_m": np.asarray(p.translation_m, np.float32),
        "focal_px": np.float32(p.focal_px),
        "principal_point": np.asarray(p.principal_point, np.float32),
        "lighting": np.asarray(p.lighting, np.float32),
        "mean_weights": np.asarray(weights, np.float32),
        "age": np.float32(np.nan if known.age is None else known.age),
        "gender": np.array(known.gender or "", "<U32"),
        "race": np.array(known.race or "", "<U32"),
        "resolution": np.float32(face.quality["resolution"]),
        "blur": np.float32(face.quality["blur_before"]),
    }
