"""Measures restoration on pairs of clean and degraded photos, through the same pipeline users run.

    python -m train.restoration.evaluate --data DATA/eval --output runs/eval-restoration

``--data`` holds ``degradations.csv`` and the images it names, unpacked. PSNR, SSIM and
sharpness are taken inside the face boxes of that table.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from rich.progress import track

from facerecon.images import load_image, save_image
from facerecon.metrics import psnr, sharpness, ssim
from facerecon.pipeline import FaceReconstructor
from facerecon.types import FaceReconError, Image

FIDELITIES = (0.0, 0.5, 1.0)


def inside(image: Image, row: dict[str, str]) -> Image:
    """The part of an image inside the row's face box."""
    x0, y0, x1, y1 = (int(float(row[k])) for k in ("x0", "y0", "x1", "y1"))
    return image[y0:y1, x0:x1]


def restore_all(pipeline: FaceReconstructor, image: Image) -> dict[float, Image]:
    """The photo restored at each fidelity; a photo without a found face stays as it was."""
    out = {}
    for fidelity in FIDELITIES:
        try:
            out[fidelity] = pipeline.restore(image, fidelity=fidelity).image
        except FaceReconError:
            out[fidelity] = image
    return out


def measure(pipeline: FaceReconstructor, root: Path, limit: int | None, sheets: Path | None) -> dict:
    """Mean scores by level and by what was done to the photo, and how many photos had no face found."""
    rows = list(csv.DictReader(open(root / "degradations.csv")))
    rows = rows[:: max(len(rows) // limit, 1)] if limit else rows
    scores: dict[str, dict[str, list]] = defaultdict(lambda: defaultdict(list))
    strips: dict[str, list[Image]] = defaultdict(list)
    for row in track(rows, description="Restoring"):
        clean, degraded = load_image(root / row["clean"]), load_image(root / row["file"])
        images = {"input": degraded, **{f"fidelity {k}": v for k, v in restore_all(pipeline, degraded).items()}}
        level = scores[row["level"]]
        level["no face found"].append(float(np.array_equal(images["fidelity 1.0"], degraded)))
        for name, image in images.items():
            mine, truth = inside(image, row), inside(clean, row)
            level[f"{name} psnr"].append(psnr(mine, truth))
            level[f"{name} ssim"].append(ssim(mine, truth))
            level[f"{name} sharpness"].append(sharpness(mine))
        if sheets and len(strips[row["level"]]) < 12 and len(level["input psnr"]) % 6 == 1:
            strips[row["level"]].append(np.concatenate([_thumb(i) for i in (*images.values(), clean)], 1))
    for name, strip in strips.items():
        save_image(sheets / f"{name}.png", np.concatenate(strip))
    return {level: {k: float(np.mean(v)) for k, v in values.items()} for level, values in scores.items()}


def _thumb(image: Image) -> Image:
    return image[:: max(image.shape[0] // 256, 1), :: max(image.shape[1] // 256, 1)]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--limit", type=int, help="measure on about this many photos only")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    table = measure(FaceReconstructor.from_pretrained(), args.data, args.limit, args.output)
    (args.output / "restoration.json").write_text(json.dumps(table, indent=2))
    for level, values in table.items():
        gain = values["fidelity 1.0 psnr"] - values["input psnr"]
        print(f"{level}: input {values['input psnr']:.2f} dB, fidelity 1 gains {gain:+.2f} dB, "
              f"sharpness {values['input sharpness']:.4f} -> {values['fidelity 0.5 sharpness']:.4f} at 0.5, "
              f"no face found in {values['no face found']:.1%}")


if __name__ == "__main__":
    main()
