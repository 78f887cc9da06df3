"""What the files of a result are called; see docs/OUTPUTS.md. ``facerecon.outputs`` writes them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

RESTORATION_FOLDERS = ("restored", "faces", "comparisons")
RECONSTRUCTION_FOLDERS = ("heads", "renders", "parameters", "codes")
FOLDERS = RESTORATION_FOLDERS + RECONSTRUCTION_FOLDERS
FORMATS = ("glb", "obj", "ply", "gltf")
DENSE = "dense"  # a head's mesh divided until it holds its detail: NAME_00_detail.obj
PICTURES = ("overlay", "geometry", "texture", "normals", "depth", "crop", "turntable")
CROP_SIDE = 224  # pixels, of the picture "crop" by default
_ENDINGS = {
    "restored": r"\.png",
    "faces": r"_\d{2,}_restored\.png",
    "comparisons": r"_compare\.jpg",
    "heads": r"_\d{2,}(_flame|_bfm|_gnm|_detail)?\.(glb|gltf|obj|mtl|png|ply|npz)",
    "renders": r"_\d{2,}_(overlay|geometry|texture|normals|depth|crop|turntable)\.\w+",
    "parameters": r"_\d{2,}\.json",
    "codes": r"_\d{2,}\.npz",
}


def existing_files(folder: Path, name: str, folders: Iterable[str] = FOLDERS) -> list[Path]:
    """Every file of a photo that lies in an output folder, whole or cut short, whatever settings wrote it."""
    found = []
    for sub in folders:
        place = (folder / sub / name).parent
        pattern = re.compile(r"(\.part-)?" + re.escape(Path(name).name) + _ENDINGS[sub])
        if place.is_dir():
            # Names before paths: folders of ten thousand photos are looked through for each photo that is done again.
            found += [place / file for file in sorted(filter(pattern.fullmatch, os.listdir(place)))]
    return found


def video_record(folder: Path, name: str) -> Path:
    """The file of a video that is written last and tells what was done."""
    return folder / "videos" / f"{name}.json"


def photo_of(file_name: str, folder: str) -> str | None:
    """The last part of the name of the photo that a file of one of ``FOLDERS`` belongs to; None for a strange file."""
    found = re.fullmatch(r"(?:\.part-)?(.+?)" + _ENDINGS[folder], file_name)
    return found[1] if found else None
