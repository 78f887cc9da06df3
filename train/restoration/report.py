"""Tables and sheets of the restoration benchmark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from facerecon.demographics.categories import UTKFACE_GENDERS
from facerecon.demographics.labels import RACE_SYSTEMS
from facerecon.images import load_image, save_image
from facerecon.types import Image

if TYPE_CHECKING:
    from train.restoration.evaluate import Sample

METHODS = {
    "input": "input, bicubic",
    "classical": "bilateral + unsharp",
    "realesrgan": "RealESRGAN_x4plus",
    "ours_w1": "ours, w = 1",
    "ours_w05": "ours, w = 0.5",
    "clean": "the clean photo",
}
COLUMNS = {
    "psnr": ("PSNR dB", "{:.2f}"),
    "psnr_registered": ("registered", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "identity": ("identity (dlib)", "{:.3f}"),
    "landmarks": ("landmarks %", "{:.2f}"),
    "niqe": ("NIQE", "{:.2f}"),
    "feature_distance": ("feature distance", "{:.3f}"),
    "frechet": ("Fréchet", "{:.3f}"),
    "ms": ("ms", "{:.0f}"),
}
AGES = (0, 13, 26, 46, 66, 200)
_SHOWN = ("input", "realesrgan", "ours_w1", "ours_w05", "clean")
_TILE = 160  # pixels a side in a sheet


def groups(name: str) -> dict[str, str]:
    """Where a photo is from, and for UTKFace (``LEVEL_utk_AGE_GENDER_RACE_DATE``) age band, gender and race."""
    parts = name.split("_")
    if "utk" not in parts[:2] or not all(p.isdigit() for p in parts[2:5]):
        return {"photos": "portraits and studio, 512 px"}
    age, gender, race = (int(p) for p in parts[2:5])
    band = next(i for i, top in enumerate(AGES[1:]) if age < top)
    last = f"{AGES[band]} and over" if band == len(AGES) - 2 else f"{AGES[band]} to {AGES[band + 1] - 1}"
    return {"photos": "UTKFace, 256 px", "age": last, "gender": UTKFACE_GENDERS[gender], "race": list(RACE_SYSTEMS["utkface"])[race]}


def summarise(samples: Iterable[Sample]) -> dict[str, Any]:
    """Means by level and method, and gains in PSNR at full fidelity by level and group."""
    values: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    gains: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        for method, scores in sample.scores.items():
            for score, value in scores.items():
                values[sample.level][method][score].append(value * 100 if score == "landmarks" else value)
        gain = sample.scores["ours_w1"]["psnr"] - sample.scores["input"]["psnr"]
        gains[sample.level]["all"].append(gain)
        for kind, group in groups(sample.name).items():
            gains[sample.level][f"{kind}: {group}"].append(gain)
    return {
        "levels": {
            level: {m: {k: float(np.mean(v)) for k, v in scores.items()} for m, scores in methods.items()}
            for level, methods in values.items()
        },
        "gains": {
            level: {g: {"gain": float(np.mean(v)), "count": len(v)} for g, v in sorted(by.items())} for level, by in gains.items()
        },
    }


def markdown(summary: dict[str, Any]) -> str:
    """The tables for people."""
    lines = []
    for level, methods in summary["levels"].items():
        columns = [c for c in COLUMNS if any(c in scores for scores in methods.values())]
        lines += ["", f"### {level}", "", *_heading(["", *(COLUMNS[c][0] for c in columns)])]
        for method, title in METHODS.items():
            if method in methods:
                cells = [COLUMNS[c][1].format(methods[method][c]) if c in methods[method] else "" for c in columns]
                lines.append(f"| {title} | " + " | ".join(cells) + " |")
    levels = list(summary["gains"])
    lines += ["", "### Gain in PSNR at w = 1 by group", "", *_heading(["group", *levels, "faces"])]
    for group in sorted({g for by in summary["gains"].values() for g in by}):
        cells = [f"{by[group]['gain']:+.2f}" if group in by else "" for by in summary["gains"].values()]
        count = max(by[group]["count"] for by in summary["gains"].values() if group in by)
        lines.append(f"| {group} | " + " | ".join(cells) + f" | {count} |")
    return "\n".join(lines).strip() + "\n"


def _heading(titles: list[str]) -> list[str]:
    return ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]


def sheet(folder: Path, samples: list[Sample], path: Path, count: int = 10) -> None:
    """Faces of the ``count`` largest gains at the left and of the smallest at the right, each by method.

    Args:
        folder: holds ``METHOD/NAME.png``.
        samples: of one level.
        path: where the sheet goes; nothing is written where there is no sample.
    """
    ranked = sorted(samples, key=lambda s: s.scores["input"]["psnr"] - s.scores["ours_w1"]["psnr"])
    if not ranked:
        return
    halves = []
    for chosen in (ranked[:count], ranked[::-1][:count]):
        halves.append(np.concatenate([_row(folder, sample) for sample in chosen]))
    gap = np.full((len(halves[0]), 12, 3), 255, np.uint8)
    save_image(path, np.concatenate([halves[0], gap, halves[1]], 1))


def _row(folder: Path, sample: Sample) -> Image:
    tiles = []
    for method in _SHOWN:
        file = folder / method / f"{sample.name}.png"
        if file.is_file():
            face = sample.inside(load_image(file))
            side = max(face.shape[:2])
            face = cv2.copyMakeBorder(face, 0, side - face.shape[0], 0, side - face.shape[1], cv2.BORDER_CONSTANT)
            tiles.append(cv2.resize(face, (_TILE, _TILE), interpolation=cv2.INTER_AREA))
    return np.concatenate(tiles, 1)
