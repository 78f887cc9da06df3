"""Scans with photos: the NoW challenge and REALY, in their official layouts."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from facerecon.faces.align import points_in_box
from facerecon.head.bases.unpickle import load_restricted
from facerecon.metrics.scans import REGIONS
from facerecon.types import Face, FaceReconError
from train.data.packs import ENDINGS

NOW_CHALLENGES = ("multiview_neutral", "multiview_expressions", "multiview_occlusions", "selfie")
_POINT = re.compile(r"<point\b[^>]*>")
_AXIS = re.compile(r'\b([xyz])\s*=\s*"([^"]+)"')


@dataclass(frozen=True)
class ScannedPhoto:
    """A photo of a scanned person.

    Attributes:
        image: the photo.
        box: (4,) x0, y0, x1, y1 of the face, pixels, or None.
        scan: the scan's OBJ, millimetres; NoW.
        landmarks: the scan's seven landmarks, a MeshLab ``.pp``; NoW.
        subject: who it is.
        challenge: which part of NoW it belongs to.
    """

    image: Path
    box: np.ndarray | None
    scan: Path
    landmarks: Path
    subject: str
    challenge: str


def now_photos(root: Path, split: str = "validation") -> list[ScannedPhoto]:
    """The NoW challenge: ``imagepathsvalidation.txt``, ``iphone_pictures/``, ``detected_face/``, ``scans/``,
    ``scans_lmks_onlypp/``, below ``root`` or its ``final_release_version/``.

    Raises:
        FaceReconError: the list or a file that it needs is missing.
    """
    root = root / "final_release_version" if (root / "final_release_version").is_dir() else root
    places = (root / f"imagepaths{split}.txt", root.parent / f"imagepaths{split}.txt")
    listing = next((place for place in places if place.is_file()), None)
    if listing is None:
        raise FaceReconError(f"{root} is no NoW dataset: it has no imagepaths{split}.txt.")
    return [_now_photo(root, line.strip()) for line in listing.read_text().splitlines() if line.strip()]


def _now_photo(root: Path, line: str) -> ScannedPhoto:
    subject, challenge, name = PurePosixPath(line).parts[-3:]
    image = root / "iphone_pictures" / subject / challenge / name
    boxes = root / "detected_face" / subject / challenge / f"{Path(name).stem}.npy"
    scan, landmarks = (next(iter(sorted((root / folder / subject).glob(pattern))), None)
                       for folder, pattern in (("scans", "*.obj"), ("scans_lmks_onlypp", "*.pp")))  # fmt: skip
    if scan is None or landmarks is None or not image.is_file():
        raise FaceReconError(f"The NoW dataset lacks the photo, the scan or the landmarks of {line}.")
    return ScannedPhoto(image, read_now_box(boxes) if boxes.is_file() else None, scan, landmarks, subject, challenge)


def read_now_box(path: Path) -> np.ndarray:
    """(4,) x0, y0, x1, y1 of ``detected_face/*.npy``, a pickled dictionary with left, top, right, bottom.

    Raises:
        FaceReconError: the file holds something else.
    """
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
            box = np.asarray(load_restricted(io.BytesIO(file.read())), object).item()
        return np.array([float(box[side]) for side in ("left", "top", "right", "bottom")], np.float32)
    except Exception as error:  # damaged pickles raise nearly anything
        raise FaceReconError(f"{path} holds no box of a face: {error}.") from error


def box_face(box: np.ndarray) -> Face:
    """A face that only its box is known of: five points where they lie in most boxes."""
    return Face(np.asarray(box, np.float32), points_in_box(box).astype(np.float32), 1.0)


def read_pp(path: Path) -> np.ndarray:
    """Points (N, 3) of a MeshLab ``PickedPoints`` file.

    Raises:
        FaceReconError: it holds none.
    """
    rows = [dict(_AXIS.findall(point)) for point in _POINT.findall(path.read_text(errors="replace"))]
    points = np.array([[float(row[axis]) for axis in "xyz"] for row in rows if set("xyz") <= set(row)])
    if not len(points):
        raise FaceReconError(f"{path} holds no picked points.")
    return points


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and triangles (F, 3) of an OBJ; polygons are cut into fans.

    Raises:
        FaceReconError: it cannot be read or has no vertex.
    """
    vertices, faces = [], []
    try:
        with path.open(errors="replace") as file:
            for line in file:
                key, _, rest = line.partition(" ")
                if key == "v":
                    vertices.append([float(value) for value in rest.split()[:3]])
                elif key == "f":
                    corners = [int(part.split("/")[0]) for part in rest.split()]
                    corners = [c - 1 if c > 0 else len(vertices) + c for c in corners]
                    faces += [[corners[0], b, c] for b, c in zip(corners[1:], corners[2:])]
    except (OSError, ValueError) as error:
        raise FaceReconError(f"{path} cannot be read as OBJ: {error}.") from error
    if not vertices:
        raise FaceReconError(f"{path} has no vertex.")
    return np.array(vertices), np.array(faces, np.int64).reshape(-1, 3)


@dataclass(frozen=True)
class RealyPerson:
    """A person of REALY.

    Attributes:
        subject: number from 1.
        images: photos whose name begins with that number.
        keypoints: (85, 3), the first 68 in iBUG order.
        regions: points of the scan by region, ``facerecon.metrics.scans.REGIONS``.
        scale_mm: millimetres of a unit of the scan.
    """

    subject: int
    images: list[Path]
    keypoints: np.ndarray
    regions: dict[str, np.ndarray]
    scale_mm: float


def realy_people(root: Path, images: Path) -> list[RealyPerson]:
    """REALY: ``REALY_HIFI3D_keypoints/1.obj``, ``REALY_scan_region/1/nose.obj``..., ``metrical_scale.txt``.

    Args:
        root: the benchmark's ``data`` folder.
        images: folder of photos called ``1.jpg``, or ``1_2.jpg`` for several views.

    Raises:
        FaceReconError: a file is missing.
    """
    scales = root / "metrical_scale.txt"
    if not scales.is_file() or not (root / "REALY_HIFI3D_keypoints").is_dir():
        raise FaceReconError(f"{root} is no REALY: it needs metrical_scale.txt and REALY_HIFI3D_keypoints.")
    scale = np.loadtxt(scales, ndmin=1)
    photos: dict[int, list[Path]] = {}
    for photo in sorted(images.rglob("*")):
        number = photo.stem.split("_")[0]
        if photo.suffix.lower() in ENDINGS and number.isdigit():
            photos.setdefault(int(number), []).append(photo)
    people = []
    for subject in sorted(photos):
        folder = root / "REALY_scan_region" / str(subject)
        keypoints = read_obj(root / "REALY_HIFI3D_keypoints" / f"{subject}.obj")[0]
        regions = {name: read_obj(folder / f"{name}.obj")[0] for name in REGIONS}
        people.append(RealyPerson(subject, photos[subject], keypoints, regions, float(scale[subject - 1])))
    return people
