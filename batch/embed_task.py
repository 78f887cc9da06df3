"""Embeddings of the faces in photos: the task of ``embed`` and ``cluster``, and what they share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from batch.manifest import Manifest
from batch.place import MANIFEST
from batch.task import Loaded, Outcome, Task
from facerecon import __version__
from facerecon.checkpoints import find_checkpoint
from facerecon.faces import choose_faces, create_detector, crop_face
from facerecon.identity import IdentityEncoder
from facerecon.images import atomic_write, save_image
from facerecon.pipeline import NoFaceError, checkpoint_version
from facerecon.types import Face, Image

STAGE = "embedding"
VECTORS, CROPS = "embeddings", "crops"  # folders
CROP_SIDE, CROP_TEMPLATE = 160, "reconstruction"  # of the pictures that people look at


@dataclass
class PhotoEmbeddings:
    """The faces of one photo: indices, found faces, (n, d) vectors, and crops where they are wanted."""

    indices: list[int]
    faces: list[Face]
    vectors: np.ndarray
    crops: list[Image] = field(default_factory=list)


@dataclass
class EmbedTask(Task):
    """Finds faces, embeds them, and writes ``embeddings/NAME.npz``.

    Attributes:
        faces: which faces of a photo.
        detector: options of the face detector.
        max_side: photos are shrunk to this longer side, pixels; None keeps them.
        crops: write ``crops/NAME_00.jpg`` of each face, too.
        device: where the network runs.
    """

    faces: str | int = "all"
    detector: dict[str, Any] = field(default_factory=dict)
    max_side: int | None = None
    crops: bool = False
    device: str = "auto"
    stages = (STAGE,)

    def __post_init__(self) -> None:
        self._encoder: IdentityEncoder | None = None
        self._finder: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_encoder": None, "_finder": None}

    def settings(self) -> dict[str, Any]:
        """What changes the files of a photo."""
        return {"faces": self.faces, "detector": self.detector, "max_side": self.max_side, "crops": self.crops}

    def versions(self) -> dict[str, str]:
        """Of the code and the embedding."""
        return {"facerecon": __version__, "identity": checkpoint_version(find_checkpoint("identity"))}

    def load(self) -> None:
        """Loads the embedding."""
        self._encoder = self._encoder or IdentityEncoder.from_pretrained(self.device)
        self._finder = self._finder or create_detector(**self.detector)

    def compute(self, photos: list[Loaded]) -> list[PhotoEmbeddings | Exception]:
        """Finds the faces photo by photo and embeds all of them in one batch."""
        found = [self._find(loaded.image) for loaded in photos]
        good = [f for f in found if isinstance(f, PhotoEmbeddings)]
        aligned = [
            self._encoder.crop(loaded.image, face)
            for loaded, f in zip(photos, found)
            if isinstance(f, PhotoEmbeddings)
            for face in f.faces
        ]
        vectors = self._encoder.embed(aligned)
        begins = np.cumsum([0] + [len(f.faces) for f in good])
        for f, begin in zip(good, begins):
            f.vectors = vectors[begin : begin + len(f.faces)]
        return found

    def write(self, output: Path, loaded: Loaded, result: PhotoEmbeddings) -> Outcome:
        """Writes the vectors, and the crops where they are wanted."""
        name = loaded.photo.name
        files = [output / VECTORS / f"{name}.npz"]
        files += [output / CROPS / f"{name}_{i:02d}.jpg" for i, _ in zip(result.indices, result.crops)]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
        for file, crop in zip(files[1:], result.crops):
            save_image(file, crop)
        with atomic_write(files[0]) as part, open(part, "wb") as handle:
            np.savez(
                handle,
                index=np.array(result.indices, np.int32),
                box=np.stack([face.box for face in result.faces]).astype(np.float32),
                points=np.stack([face.points for face in result.faces]).astype(np.float32),
                score=np.array([face.score for face in result.faces], np.float32),
                embedding=result.vectors.astype(np.float32),
            )
        return Outcome(files, {STAGE: {"faces": len(result.faces)}})

    def clear(self, output: Path, name: str) -> None:
        """Removes a photo's vectors and crops."""
        for folder, pattern in ((VECTORS, ".npz"), (CROPS, "_[0-9][0-9]*.jpg")):
            place = (output / folder / name).parent
            for prefix in ("", ".part-"):
                for file in place.glob(f"{prefix}{_literal(Path(name).name)}{pattern}") if place.is_dir() else ():
                    file.unlink(missing_ok=True)

    def count(self, stage: str, figures: dict[str, Any]) -> int:
        """Faces."""
        return int(figures.get("faces", 0))

    def _find(self, image: Image) -> PhotoEmbeddings | Exception:
        try:
            chosen = choose_faces(self._finder.detect(image), self.faces, image.shape)
            if not chosen:
                raise NoFaceError("No face was found in the photo.")
            crops = [crop_face(image, face.points, CROP_SIDE, CROP_TEMPLATE)[0] for _, face in chosen] if self.crops else []
            return PhotoEmbeddings([i for i, _ in chosen], [face for _, face in chosen], np.zeros((0, 0)), crops)
        except Exception as error:  # whatever is wrong with one photo must not cost the others
            return error


@dataclass(frozen=True)
class StoredFace:
    """One face of an output folder: its photo (path below the input), name there, place in it, and vector."""

    photo: str
    name: str
    index: int
    box: np.ndarray
    points: np.ndarray
    score: float
    embedding: np.ndarray


def stored_faces(output: Path) -> Iterator[StoredFace]:
    """Every face that the manifest of an output folder vouches for, by the photos' names."""
    for record in Manifest(output / MANIFEST).of_stage(STAGE):
        if record.status != "done":
            continue
        with np.load(output / VECTORS / f"{record.name}.npz") as file:
            arrays = {key: file[key] for key in file.files}
        for i, index in enumerate(arrays["index"]):
            yield StoredFace(
                record.input, record.name, int(index), arrays["box"][i], arrays["points"][i],
                float(arrays["score"][i]), arrays["embedding"][i],
            )  # fmt: skip


def _literal(name: str) -> str:
    """A name in which a glob sees no pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
