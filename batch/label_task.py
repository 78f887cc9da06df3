"""What ``label`` does to a photo, and the table it makes of all of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch.face_task import FaceTask
from batch.manifest import Manifest
from batch.place import MANIFEST
from batch.task import Loaded, Outcome
from facerecon.images import atomic_write

if TYPE_CHECKING:
    from facerecon.demographics.estimator import DemographicsEstimate

STAGE = "labels"
COLUMNS = ("image", "age", "race", "gender", "confidence")


@dataclass
class LabelTask(FaceTask):
    """Finds faces and estimates their demographics; writes nothing but the manifest's figures.

    Attributes:
        backend: ``"facerecon"`` or ``"deepface"``.
    """

    faces: str | int = "largest"
    backend: str = "facerecon"
    stages = (STAGE,)
    modules = ("batch.label_task", "facerecon.demographics.estimator")

    @property
    def checkpoint(self) -> str:  # type: ignore[override]
        """Of the estimator; DeepFace keeps its own."""
        return "demographics" if self.backend == "facerecon" else ""

    def settings(self) -> dict[str, Any]:
        """What changes the rows of a photo."""
        return {**super().settings(), "backend": self.backend}

    def make_network(self) -> Any:
        """The labeller."""
        if self.backend == "deepface":
            from facerecon.demographics.deepface import DeepFaceLabeller

            return DeepFaceLabeller.from_pretrained()
        from facerecon.demographics.estimator import DemographicsEstimator

        return DemographicsEstimator.from_pretrained(self.device)

    def compute(self, photos: list[Loaded]) -> list[Any]:
        """The rows of each photo: all faces of the photos in one batch."""
        found = [self.find(loaded.image) for loaded in photos]
        flat = [(loaded.image, face) for loaded, f in zip(photos, found) if not isinstance(f, Exception) for _, face in f]
        try:
            estimates = iter(self.network.predict([image for image, _ in flat], [face for _, face in flat]))
        except Exception as error:
            return [error if not isinstance(f, Exception) else f for f in found]
        return [f if isinstance(f, Exception) else [row(i, next(estimates)) for i, _ in f] for f in found]

    def write(self, output: Path, loaded: Loaded, result: Any) -> Outcome:
        """The figures that the table is made of."""
        return Outcome([], {STAGE: {"faces": result}})

    def count(self, stage: str, figures: dict[str, Any]) -> int:
        """Faces labelled."""
        return len(figures.get("faces", ()))


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
    with atomic_write(table) as part, Path(part).open("w", newline="", encoding="utf-8", errors="backslashreplace") as handle:
        writer = csv.DictWriter(handle, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def _rows(manifest: Manifest) -> Iterable[dict[str, Any]]:
    for record in manifest.of_stage(STAGE):
        if record.status == "done":
            for face in record.figures.get(STAGE, {}).get("faces", ()):
                yield {"image": record.input, **face}
