"""What ``label`` does to a photo, and the table it makes of all of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batch.manifest import Manifest
from batch.place import MANIFEST
from batch.task import Loaded, Outcome, Task
from facerecon import __version__
from facerecon.checkpoints import find_checkpoint
from facerecon.demographics.estimator import DemographicsEstimate, DemographicsEstimator
from facerecon.faces import choose_faces, create_detector
from facerecon.images import atomic_write
from facerecon.pipeline import NoFaceError, checkpoint_version
from facerecon.types import Face

STAGE = "labels"
COLUMNS = ("image", "age", "race", "gender", "confidence")
Found = list[tuple[int, Face]]


@dataclass
class LabelTask(Task):
    """Finds faces and estimates their demographics; writes nothing but the manifest's figures.

    Attributes:
        backend: ``"facerecon"`` or ``"deepface"``.
        faces: which faces of a photo.
        detector: options of the face detector.
        max_side: photos are shrunk to this longer side, pixels; None keeps them.
        device: where the network runs.
    """

    backend: str = "facerecon"
    faces: str | int = "largest"
    detector: dict[str, Any] = field(default_factory=dict)
    max_side: int | None = None
    device: str = "auto"
    stages = (STAGE,)

    def __post_init__(self) -> None:
        self._labeller: Any = None
        self._finder: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_labeller": None, "_finder": None}

    def settings(self) -> dict[str, Any]:
        """What changes the rows of a photo."""
        return {"backend": self.backend, "faces": self.faces, "detector": self.detector, "max_side": self.max_side}

    def versions(self) -> dict[str, str]:
        """Of the code and the estimator."""
        if self.backend == "deepface":
            return {"facerecon": __version__}
        return {"facerecon": __version__, "demographics": checkpoint_version(find_checkpoint("demographics"))}

    def load(self) -> None:
        """Loads the labeller."""
        self._finder = self._finder or create_detector(**self.detector)
        if self._labeller is None and self.backend == "deepface":
            from facerecon.demographics.deepface import DeepFaceLabeller

            self._labeller = DeepFaceLabeller.from_pretrained()
        self._labeller = self._labeller or DemographicsEstimator.from_pretrained(self.device)

    def compute(self, photos: list[Loaded]) -> list[Any]:
        """The rows of each photo: all faces of the photos in one batch."""
        found = [self._find(loaded) for loaded in photos]
        flat = [(loaded.image, face) for loaded, f in zip(photos, found) if not isinstance(f, Exception) for _, face in f]
        try:
            estimates = iter(self._labeller.predict([image for image, _ in flat], [face for _, face in flat]))
        except Exception as error:
            return [error if not isinstance(f, Exception) else f for f in found]
        return [f if isinstance(f, Exception) else [row(i, next(estimates)) for i, _ in f] for f in found]

    def write(self, output: Path, loaded: Loaded, result: Any) -> Outcome:
        """The figures that the table is made of."""
        return Outcome([], {STAGE: {"faces": result}})

    def count(self, stage: str, figures: dict[str, Any]) -> int:
        """Faces labelled."""
        return len(figures.get("faces", ()))

    def _find(self, loaded: Loaded) -> Found | Exception:
        try:
            found = self._finder.detect(loaded.image)
            if not found:
                return NoFaceError("No face was found in the photo.")
            return choose_faces(found, self.faces, loaded.image.shape)
        except Exception as error:
            return error


def row(index: int, estimate: DemographicsEstimate) -> dict[str, Any]:
    """One face as the table has it."""
    return {
        "face": index,
        "age": round(estimate.age, 1),
        "race": estimate.dominant_race,
        "gender": estimate.dominant_gender,
        "confidence": round(estimate.confidence, 4),
    }


def write_table(folder: Path, table: Path) -> int:
    """Writes the rows of all photos that were labelled, in the order of their names; returns their number.

    Where a photo has rows for several faces, a last column ``face`` tells them apart.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return 0
    rows = list(_rows(Manifest(manifest, shared=True)))
    columns = COLUMNS + (("face",) if len({r["image"] for r in rows}) < len(rows) else ())
    table.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(table) as part, Path(part).open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def _rows(manifest: Manifest) -> Iterable[dict[str, Any]]:
    for record in manifest.of_stage(STAGE):
        if record.status == "done":
            for face in record.figures.get(STAGE, {}).get("faces", ()):
                yield {"image": record.input, **face}
