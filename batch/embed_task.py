"""Embeddings of the faces in photos: the task of ``embed`` and ``cluster``, and what they share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from batch.face_task import FaceTask
from batch.manifest import Manifest
from batch.place import MANIFEST
from batch.task import Loaded, Outcome
from facerecon.faces import crop_face
from facerecon.images import atomic_write, save_image
from facerecon.types import Face, Image

if TYPE_CHECKING:
    from facerecon.identity import IdentityEncoder

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
class EmbedTask(FaceTask):
    """Finds faces, embeds them, and writes ``embeddings/NAME.npz``.

    Attributes:
        crops: write ``crops/NAME_00.jpg`` of each face, too.
    """

    crops: bool = False
    stages = (STAGE,)
    modules = ("batch.embed_task", "facerecon.identity")
    checkpoint = "identity"

    def settings(self) -> dict[str, Any]:
        """What changes the files of a photo."""
        return {**super().settings(), "crops": self.crops}

    def make_network(self) -> IdentityEncoder:
        """The embedding."""
        from facerecon.identity import IdentityEncoder

        return IdentityEncoder.from_pretrained(self.device)

    def compute(self, photos: list[Loaded]) -> list[PhotoEmbeddings | Exception]:
        """Finds the faces photo by photo and embeds all of them in one batch."""
        found = [self._look(loaded.image) for loaded in photos]
        good = [f for f in found if isinstance(f, PhotoEmbeddings)]
        aligned = [
            self.network.crop(loaded.image, face)
            for loaded, f in zip(photos, found)
            if isinstance(f, PhotoEmbeddings)
            for face in f.faces
        ]
        vectors = self.network.embed(aligned) if aligned else ()
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

    def _look(self, image: Image) -> PhotoEmbeddings | Exception:
        chosen = self.find(image)
        if isinstance(chosen, Exception):
            return chosen
        crops = [crop_face(image, face.points, CROP_SIDE, CROP_TEMPLATE)[0] for _, face in chosen] if self.crops else []
        return PhotoEmbeddings([i for i, _ in chosen], [face for _, face in chosen], np.zeros((0, 0)), crops)


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
    """Every face that the manifest of an output folder vouches for, by the photos' names; none whose files were thrown away."""
    for record in Manifest(output / MANIFEST).of_stage(STAGE):
        if record.status != "done" or not all((output / file).is_file() for file in record.files):
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
