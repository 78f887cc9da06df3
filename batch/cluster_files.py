"""The files that groups of faces become: ``clusters.csv``, ``clusters/person_000/`` and their contact sheets."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import shutil
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from batch.embed_task import CROPS, StoredFace, stored_faces
from batch.lock import locked
from batch.names import named
from facerecon.identity import ALONE, Clusters, ClusterSettings, cluster
from facerecon.images import atomic_write, load_image, save_image

TABLE, FOLDER, SUMMARY, SHEET = "clusters.csv", "clusters", "clusters.json", "contact_sheet.jpg"
COLUMNS = ("photo", "face", "cluster", "similarity", "x0", "y0", "x1", "y1", "crop")
_TILE, _MOST_TILES, _BORDER = 112, 100, 4  # pixels, faces, pixels


def write_clusters(output: Path, settings: ClusterSettings) -> tuple[int, int]:
    """Groups the faces of an output folder and writes the files; leaves them where nothing has changed.

    Returns:
        How many people there are, and how many faces are alone.
    """
    with locked(output):
        faces = list(stored_faces(output))
        vectors = np.stack([face.embedding for face in faces]) if faces else np.zeros((0, 1), np.float32)
        key = _key(faces, vectors, settings)
        summary = _read_summary(output / SUMMARY)
        if summary.get("key") != key or not (output / TABLE).exists():
            found = cluster(vectors, settings)
            _write_folders(output, faces, found)
            _write_table(output / TABLE, faces, found)
            summary = {
                "key": key,
                "faces": len(faces),
                "people": found.count,
                "alone": int((found.labels == ALONE).sum()),
                "settings": asdict(settings),
            }
            with atomic_write(output / SUMMARY) as part:
                part.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return summary["people"], summary["alone"]


def contact_sheet(crops: list[np.ndarray]) -> np.ndarray:
    """The faces of a group side by side, (H, W, 3) uint8."""
    columns = math.ceil(math.sqrt(len(crops)))
    rows = math.ceil(len(crops) / columns)
    side = _TILE + _BORDER
    sheet = np.full((rows * side + _BORDER, columns * side + _BORDER, 3), 255, np.uint8)
    for i, crop in enumerate(crops):
        y, x = (n * side + _BORDER for n in divmod(i, columns))
        sheet[y : y + _TILE, x : x + _TILE] = cv2.resize(crop, (_TILE, _TILE), interpolation=cv2.INTER_AREA)
    return sheet


def _write_folders(output: Path, faces: list[StoredFace], found: Clusters) -> None:
    """All folders aside first, then in place of the old ones."""
    aside = output / f".part-{FOLDER}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    order = np.argsort(found.labels, kind="stable")
    starts = np.searchsorted(found.labels[order], np.arange(found.count + 1))
    for label in range(found.count):
        folder = aside / f"person_{label:03d}"
        folder.mkdir()
        members = order[starts[label] : starts[label + 1]]
        members = members[np.argsort(-found.similarity[members], kind="stable")]
        taken: set[str] = set()
        for i in members:
            crop = _crop(faces[i])
            flat = crop.relative_to(CROPS).with_suffix("").as_posix().replace("/", "__")
            name = named("", flat, crop.as_posix(), flat.casefold() in taken)
            taken.add(flat.casefold())
            shutil.copyfile(output / crop, folder / f"{name}.jpg")
        best = [load_image(output / _crop(faces[i])) for i in members[:_MOST_TILES]]
        save_image(folder / SHEET, contact_sheet(best))
    shutil.rmtree(output / FOLDER, ignore_errors=True)
    aside.rename(output / FOLDER)


def _write_table(path: Path, faces: list[StoredFace], found: Clusters) -> None:
    """One line a face: person after person, those alone (-1) at the end."""
    last = np.where(found.labels == ALONE, found.count, found.labels)
    with atomic_write(path) as part, open(part, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for i in np.argsort(last, kind="stable"):
            face = faces[i]
            box = [f"{value:.1f}" for value in face.box]
            table.writerow(
                [face.photo, face.index, found.labels[i], f"{found.similarity[i]:.4f}", *box, _crop(face).as_posix()]
            )


def _crop(face: StoredFace) -> Path:
    return Path(CROPS) / f"{face.name}_{face.index:02d}.jpg"


def _key(faces: list[StoredFace], vectors: np.ndarray, settings: ClusterSettings) -> str:
    digest = hashlib.sha256(vectors.tobytes())
    digest.update(json.dumps([[face.photo, face.name, face.index] for face in faces]).encode())
    digest.update(json.dumps(asdict(settings)).encode())
    return digest.hexdigest()


def _read_summary(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
