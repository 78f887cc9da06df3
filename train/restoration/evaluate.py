"""The restoration benchmark: what users get, against the input, a classical filter and RealESRGAN_x4plus.

    python -m train.restoration.evaluate --data DATA/eval --output runs/eval-restoration
    python -m train.restoration.evaluate --data DATA/eval --output runs/eval-restoration --peers PYTHON

``--data`` holds ``degradations.csv`` and the images it names, unpacked. All scores are taken inside
the face boxes of that table, after the whole pipeline: find, align, restore, paste. ``--peers`` names a
Python with the judges of ``judges.py``; without it the columns that need them are left out. Leaves
``benchmark.json``, ``benchmark.md`` and sheets of the best and the worst results.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.progress import track

from facerecon.images import load_image, save_image
from facerecon.metrics import psnr, sharpness, ssim
from facerecon.pipeline import FaceReconstructor, NoFaceError
from facerecon.restoration.scoring import natural_faces
from facerecon.types import Image
from train.command_line import command
from train.restoration.judges import RIVAL
from train.restoration.perceptual import FeatureJudge, frechet_distance
from train.restoration.registration import register
from train.restoration.report import METHODS, markdown, sheet, summarise

LEVELS = ("light", "medium", "heavy")
OURS = {"ours_w1": 1.0, "ours_w05": 0.5}
INPUT, CLASSICAL, CLEAN = "input", "classical", "clean"
BATCH = 8


@dataclass
class Sample:
    """One degraded photo of the table and what came of it.

    Attributes:
        name: file name without ending, with the level in front.
        level: of :data:`LEVELS`.
        clean: path of the photo before it was degraded.
        file: path of the degraded photo.
        box: of the face, pixels.
        scale: by how much it had been shrunk.
        scores: by method and name of the score.
    """

    name: str
    level: str
    clean: Path
    file: Path
    box: tuple[int, int, int, int]
    scale: float
    scores: dict[str, dict[str, float]] = field(default_factory=dict)

    def inside(self, image: Image) -> Image:
        """The part of a photo inside the face's box."""
        x0, y0, x1, y1 = self.box
        return image[y0:y1, x0:x1]


def read_samples(root: Path, limit: int | None, only: Sequence[str] = ("*",)) -> list[Sample]:
    """The rows of ``degradations.csv``, about ``limit`` clean photos of them evenly spread, each at every level.

    ``only`` takes photos whose name, without folder, matches one of the patterns.
    """
    rows = list(csv.DictReader(open(root / "degradations.csv")))
    photos = sorted({row["clean"] for row in rows if any(fnmatch(Path(row["clean"]).name, pattern) for pattern in only)})
    if limit and limit < len(photos):
        photos = [photos[i] for i in np.linspace(0, len(photos) - 1, limit).round().astype(int)]
    chosen = set(photos)
    return [_sample(root, row) for row in rows if row["clean"] in chosen]


def _sample(root: Path, row: dict[str, str]) -> Sample:
    box = tuple(int(float(row[key])) for key in ("x0", "y0", "x1", "y1"))
    name = f"{row['level']}_{Path(row['clean']).stem}"
    return Sample(name, row["level"], root / row["clean"], root / row["file"], box, float(row["scale"]))


def classical(image: Image) -> Image:
    """The best filter without learning: bilateral, then unsharp masking; the photos were enlarged bicubically."""
    smooth = cv2.bilateralFilter(image, 7, 22, 2.5)
    return np.clip(smooth + 0.5 * (smooth - cv2.GaussianBlur(smooth, (0, 0), 2).astype(np.float32)), 0, 255).astype(np.uint8)


def restore(pipeline: FaceReconstructor, photos: list[Image], fidelity: float) -> tuple[list[Image], list[bool], float]:
    """Photos restored in one batch, which of them had a face, and seconds a photo."""
    started = time.perf_counter()
    try:
        images, found = [r.image for r in pipeline.restore(photos, fidelity=fidelity)], [True] * len(photos)
    except NoFaceError:  # one of them: each by itself
        images, found = [], []
        for photo in photos:
            try:
                images.append(pipeline.restore(photo, fidelity=fidelity).image)
                found.append(True)
            except NoFaceError:
                images.append(photo)
                found.append(False)
    return images, found, (time.perf_counter() - started) / len(photos)


def results(pipeline: FaceReconstructor, samples: list[Sample]) -> Iterator[tuple[Sample, dict[str, Image]]]:
    """Every sample with its photo by method; seconds go into the samples' scores."""
    for start in track(range(0, len(samples), BATCH), description="Restoring"):
        part = samples[start : start + BATCH]
        inputs = [load_image(s.file) for s in part]
        by_method: dict[str, list[Image]] = {INPUT: inputs, CLEAN: [load_image(s.clean) for s in part]}
        started = time.perf_counter()
        by_method[CLASSICAL] = [classical(image) for image in inputs]
        seconds = {CLASSICAL: (time.perf_counter() - started) / len(part)}
        for method, fidelity in OURS.items():
            by_method[method], found, seconds[method] = restore(pipeline, inputs, fidelity)
            for s, has_face in zip(part, found):
                s.scores.setdefault(method, {})["no_face"] = float(not has_face)
        for i, s in enumerate(part):
            for method, took in seconds.items():
                s.scores.setdefault(method, {})["ms"] = took * 1000
            yield s, {method: images[i] for method, images in by_method.items()}


def measure(sample: Sample, method: str, image: Image, clean: Image, registered: Image) -> None:
    """Adds the scores that need no judge; ``registered`` is the clean photo laid over the degraded one."""
    mine, truth, scores = sample.inside(image), sample.inside(clean), sample.scores.setdefault(method, {})
    if method != CLEAN:
        scores |= {"psnr": psnr(mine, truth), "ssim": ssim(mine, truth)}
        scores["psnr_registered"] = psnr(mine, sample.inside(registered))
    scores["sharpness"] = sharpness(mine)
    model = natural_faces()
    if model is not None:
        scores["niqe"] = model.distance(mine)


def judge_features(samples: list[Sample], folder: Path) -> dict[str, dict[str, float]]:
    """Adds every photo's distance to the clean one; returns Fréchet's distance of each level and method to the clean faces."""
    judge, described = FeatureJudge(), defaultdict(list)
    for sample in samples:
        seen = {}
        for method in METHODS:
            file = folder / method / f"{sample.name}.png"
            if file.is_file():
                seen[method] = judge.features(sample.inside(load_image(file)))
        for method, features in seen.items():
            described[sample.level, method].append(judge.describe(features))
            if method != CLEAN:
                sample.scores[method]["feature_distance"] = judge.distance(features, seen[CLEAN])
    distances: dict[str, dict[str, float]] = defaultdict(dict)
    for (level, method), vectors in described.items():
        if method != CLEAN and len(vectors) > 1:
            distances[level][method] = frechet_distance(np.array(vectors), np.array(described[level, CLEAN]))
    return distances


def ask_judges(python: Path, folder: Path, samples: list[Sample]) -> None:
    """Runs ``judges.py``, and adds the rival and what the judges say to the scores."""
    photos = [{"name": s.name, "box": s.box, "scale": s.scale} for s in samples]
    (folder / "photos.json").write_text(json.dumps(photos))
    script = Path(__file__).with_name("judges.py")
    subprocess.run([str(python), str(script), str(folder)], check=True)
    judged = json.loads((folder / "judged.json").read_text())
    for sample in samples:
        for method, scores in judged["scores"].items():
            sample.scores.setdefault(method, {}).update(scores[sample.name])
        seconds = judged["seconds"][RIVAL].get(sample.name)
        if seconds is not None:
            rival = load_image(folder / RIVAL / f"{sample.name}.png")
            clean = load_image(sample.clean)
            measure(sample, RIVAL, rival, clean, register(clean, load_image(sample.file)))
            sample.scores[RIVAL]["ms"] = seconds * 1000


def benchmark(
    pipeline: FaceReconstructor,
    root: Path,
    output: Path,
    limit: int | None = None,
    peers: Path | None = None,
    only: Sequence[str] = ("*",),
) -> dict[str, Any]:
    """Measures, and writes tables and sheets.

    Args:
        root: folder of ``degradations.csv``.
        output: where pictures, tables and sheets go.
        limit: clean photos to measure on; None or 0 takes all.
        peers: a Python that has the judges and the rival.
        only: patterns of the photos' names.

    Returns:
        What :func:`train.restoration.report.summarise` gives.
    """
    samples, images = read_samples(root, limit, only), output / "images"
    for sample, by_method in results(pipeline, samples):
        registered = register(by_method[CLEAN], by_method[INPUT])
        for method, image in by_method.items():
            measure(sample, method, image, by_method[CLEAN], registered)
            save_image(images / method / f"{sample.name}.png", image)
    if peers:
        ask_judges(peers, images, samples)
    frechet = judge_features(samples, images)
    summary = summarise(samples)
    for level, by_method in frechet.items():
        for method, value in by_method.items():
            summary["levels"][level][method]["frechet"] = value
    (output / "benchmark.json").write_text(json.dumps(summary, indent=1))
    (output / "benchmark.md").write_text(markdown(summary))
    for level in LEVELS:
        sheet(images, [s for s in samples if s.level == level], output / f"{level}.jpg")
    return summary


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=60, help="clean photos to measure on, each at three levels; 0 takes all")
    parser.add_argument("--peers", type=Path, help="a Python that has the judges and the rival")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN", help="photos of these names, as 'studio_*'")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    pipeline = FaceReconstructor.from_pretrained(device=args.device)
    print(markdown(benchmark(pipeline, args.data, args.output, args.limit, args.peers, args.only)))


if __name__ == "__main__":
    command(main)
