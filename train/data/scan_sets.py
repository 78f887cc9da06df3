"""Sets of 3D face scans in their official layouts: who was scanned, where the neutral scan lies, which photos show them.

FaceScape, Stirling/ESRC, CoMA, Headspace (of which LYHM was built) and D3DFACS are given to
researchers who ask for them. What their pages and papers say of the folders is what is read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facerecon.types import FaceReconError
from train.data.packs import ENDINGS
from train.data.scans import read_obj

UNITS_M = (0.001, 0.01, 1.0)
LARGEST_M = (0.12, 1.2)  # the largest side of the box about a face, a head, or a bust
_MESHES = (".obj", ".ply")


@dataclass(frozen=True)
class ScannedPerson:
    """Someone with a neutral scan.

    Attributes:
        subject: unique within the set.
        scan: OBJ or PLY.
        photos: photos of that person, whatever the expression.
        age: years, where it is told.
        gender: ``"female"`` or ``"male"``, where it is told.
    """

    subject: str
    scan: Path
    photos: list[Path] = field(default_factory=list)
    age: float | None = None
    gender: str | None = None


def read_scan(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (N, 3) in metres and triangles (F, 3) of an OBJ or PLY, whatever its unit.

    Raises:
        FaceReconError: it cannot be read, has no triangles, or is no face in millimetres, centimetres or metres.
    """
    if path.suffix.lower() == ".ply":
        vertices, faces = _read_ply(path)
    else:
        vertices, faces = read_obj(path)
    if not len(faces) or faces.min() < 0 or faces.max() >= len(vertices) or not np.isfinite(vertices).all():
        raise FaceReconError(f"{path} has no usable triangles.")
    side = float(np.ptp(vertices, axis=0).max())
    for unit in UNITS_M:
        if LARGEST_M[0] <= side * unit <= LARGEST_M[1]:
            return vertices * unit, faces
    raise FaceReconError(f"{path} is {side:.3g} units large, which is no face in millimetres, centimetres or metres.")


def _read_ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import trimesh

    try:
        mesh = trimesh.load(path, process=False, force="mesh")
        return np.asarray(mesh.vertices, float), np.asarray(mesh.faces, np.int64)
    except Exception as error:  # damaged files raise nearly anything
        raise FaceReconError(f"{path} cannot be read as PLY: {error}.") from error


def facescape(root: Path) -> list[ScannedPerson]:
    """FaceScape (Yang et al., CVPR 2020).

    Uniform meshes ``[facescape_trainset.../]ID/models_reg/1_neutral.obj`` and multi-view ones ``ID/1_neutral.ply``, the
    latter preferred as they are the scans themselves; photos ``ID/EXPRESSION/VIEW.jpg``; ages and genders from a text of
    rows ``ID m|f AGE VALID``.
    """
    told = dict(_facescape_people(root))
    meshes: dict[str, Path] = {}
    for pattern in ("**/models_reg/1_neutral.obj", "**/1_neutral.ply"):
        for path in sorted(root.glob(pattern)):
            owner = path.parents[1] if path.parent.name == "models_reg" else path.parent
            if owner.name.isdigit():
                meshes[owner.name] = path
    photos = _by(lambda path: path.parents[1].name, (p for p in _photos(root) if re.match(r"\d+_[a-z_]+$", p.parent.name)))
    return [ScannedPerson(who, meshes[who], photos.get(who, []), *told.get(who, (None, None))) for who in sorted(meshes, key=int)]


def _facescape_people(root: Path) -> Iterator[tuple[str, tuple[float | None, str | None]]]:
    for path in sorted(root.rglob("*.txt")):
        for line in path.read_text(errors="replace").splitlines():
            parts = line.split()
            if len(parts) >= 3 and parts[0].isdigit() and parts[1] in ("m", "f", "-"):
                age = float(parts[2]) if parts[2].isdigit() else None
                yield parts[0], (age, {"m": "male", "f": "female"}.get(parts[1]))


def stirling(root: Path) -> list[ScannedPerson]:
    """Stirling/ESRC: neutral scans ``.../F1001_N.obj``, below any folder; photos of the FG2018 subset called ``F1001_...jpg``."""
    meshes, fallback = {}, {}
    for path in _files(root, _MESHES):
        match = re.match(r"([FM]\d{4})(.*)$", path.stem, re.IGNORECASE)
        if match:
            if re.fullmatch(r"[_-]?(n|neutral)([_-].*)?", match[2], re.IGNORECASE):
                meshes.setdefault(match[1].upper(), path)
            elif not match[2]:
                fallback.setdefault(match[1].upper(), path)
    photos = _by(lambda path: path.stem.split("_")[0].upper()[:5], _photos(root))
    meshes = {**fallback, **meshes}
    return [_of_gender(who, meshes[who], photos.get(who, [])) for who in sorted(meshes)]


def _of_gender(subject: str, scan: Path, photos: list[Path]) -> ScannedPerson:
    return ScannedPerson(subject, scan, photos, gender={"F": "female", "M": "male"}[subject[0]])


def coma(root: Path) -> list[ScannedPerson]:
    """CoMA (Ranjan et al., ECCV 2018): ``FaceTalk_170725_00137_TA/bareteeth/bareteeth.000001.ply``; a sequence begins neutral."""
    return _first_frames(root, lambda name: name.startswith("FaceTalk_"))


def d3dfacs(root: Path) -> list[ScannedPerson]:
    """D3DFACS (Cosker et al., ICCV 2011): a folder a person, in it one a sequence, in it a mesh a frame; the first is neutral."""
    return _first_frames(root, lambda name: not name.startswith("."))


def _first_frames(root: Path, is_person: Callable[[str], bool]) -> list[ScannedPerson]:
    people = []
    for folder in sorted(p for p in root.iterdir() if p.is_dir() and is_person(p.name)):
        sequences = sorted(p for p in folder.iterdir() if p.is_dir())
        frames = next((found for s in sequences if (found := sorted(_files(s, _MESHES), key=_frame_number))), None)
        if frames:
            people.append(ScannedPerson(folder.name, frames[0], sorted(_photos(folder))))
    return people


def _frame_number(path: Path) -> tuple[int, str]:
    numbers = re.findall(r"\d+", path.stem)
    return (int(numbers[-1]) if numbers else 0), path.name


def headspace(root: Path) -> list[ScannedPerson]:
    """Headspace, of which LYHM was built (Dai et al., IJCV 2020): ``00001/180425123456.obj`` or ``00001/scan/...``, ``subject.txt``
    with lines such as ``Gender: Male`` and ``Age: 34``, photos ``00001/*.png``."""
    people = []
    for folder in sorted(p for p in root.iterdir() if p.is_dir() and p.name.isdigit()):
        meshes = sorted(folder.glob("scan/*.obj")) or sorted(folder.glob("*.obj"))
        if meshes:
            people.append(ScannedPerson(folder.name, meshes[0], sorted(folder.glob("*.png")), *_headspace_subject(folder)))
    return people


def _headspace_subject(folder: Path) -> tuple[float | None, str | None]:
    file = folder / "subject.txt"
    text = file.read_text(errors="replace") if file.is_file() else ""
    age = re.search(r"\bage\b\D{0,20}?(\d+(?:\.\d+)?)", text, re.IGNORECASE)
    gender = re.search(r"\b(fe)?male\b", text, re.IGNORECASE)
    return (float(age[1]) if age else None), (gender[0].lower() if gender else None)


SCAN_LAYOUTS: dict[str, Callable[[Path], list[ScannedPerson]]] = {
    "facescape": facescape,
    "stirling": stirling,
    "coma": coma,
    "lyhm": headspace,
    "d3dfacs": d3dfacs,
}


def scanned_people(layout: str, root: Path) -> list[ScannedPerson]:
    """Everyone in a set of scans by the name of its layout.

    Raises:
        FaceReconError: unknown layout, no such folder, or nobody in it.
    """
    if layout not in SCAN_LAYOUTS:
        raise FaceReconError(f"There is no layout of scans called {layout!r}: use {', '.join(SCAN_LAYOUTS)}.")
    if not root.is_dir():
        raise FaceReconError(f"There is no folder {root}.")
    people = SCAN_LAYOUTS[layout](root)
    if not people:
        raise FaceReconError(f"{root} holds no scans in the layout of {layout}.")
    return people


def _files(root: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    yield from sorted(p for p in root.rglob("*") if p.suffix.lower() in endings and not p.name.startswith("."))


def _photos(root: Path) -> Iterator[Path]:
    return _files(root, tuple(ENDINGS))


def _by(key: Callable[[Path], str], paths: Iterator[Path]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(key(path), []).append(path)
    return groups
