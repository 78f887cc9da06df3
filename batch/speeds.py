"""Tables of time, size and memory of docs/BENCHMARKS.md."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from batch.benchmarks import Asked
from batch.tables import Table

ROOT = Path(__file__).resolve().parents[1]
HEADS, RUNS = 32, 9


def restoration_speed(asked: Asked) -> Table:
    """Milliseconds of processor time of each step, on a 512-pixel photo of one face; medians, warm."""
    import cv2

    from facerecon.images import load_image
    from facerecon.pipeline import FaceReconstructor

    photo = load_image(ROOT / "examples" / "astronaut.jpg")
    pipeline = FaceReconstructor.from_pretrained(asked.device)
    found = pipeline.detector.detect(photo)
    face = pipeline.restore(photo).faces[0]
    crop = cv2.resize(face.crop, (pipeline.restorer.size,) * 2, interpolation=cv2.INTER_AREA)
    large = cv2.resize(face.crop, (512, 512))
    chosen = [list(enumerate(found))]
    values = {
        "network_one_crop_ms": _milliseconds(lambda: pipeline.restorer.restore([crop], 0.7)),
        "network_crop_in_batches_of_8_ms": _milliseconds(lambda: pipeline.restorer.restore([crop] * 8, 0.7)) / 8,
        "crop_of_512_pixels_ms": _milliseconds(lambda: pipeline.restorer.restore([large], 0.7)),
        "finding_the_face_ms": _milliseconds(lambda: pipeline.detector.detect(photo)),
        "photo_found_without_scores_ms": _milliseconds(lambda: pipeline.restore_found([photo], chosen, 0.7, 1, score=False)),
        "photo_found_with_scores_ms": _milliseconds(lambda: pipeline.restore_found([photo], chosen, 0.7, 1)),
    }
    return _list(asked.name, "Restoration: time", values, f"Processor time, a photo of {photo.shape[1]} x {photo.shape[0]}, {len(found)} face.")


def reconstruction_speed(asked: Asked) -> Table:
    """Milliseconds of encoding a face, alone and in a batch, and of its texture and detail."""
    from facerecon.images import load_image
    from facerecon.pipeline import FaceReconstructor
    from train.reconstruction.evaluate import speed_benchmark

    pipeline = FaceReconstructor.from_pretrained(device=asked.device)
    maker, photo = pipeline.reconstructor, load_image(ROOT / "examples" / "astronaut.jpg")
    head = pipeline.reconstruct(photo, detail=False)[0]
    painted = maker.paint(photo, head.parameters, head.vertices)
    values = speed_benchmark(maker)
    values["texture_ms"] = _milliseconds(lambda: maker.paint(photo, head.parameters, head.vertices))
    if maker.detailer is not None:
        values["detail_ms"] = _milliseconds(lambda: maker.sculpt(painted, head.parameters, head.vertices))
    return _list(asked.name, "Reconstruction: time", values, "Encoding, alignment included; texture and detail in processor time.")


def head(asked: Asked) -> Table:
    """Size and speed of the head model."""
    import torch

    from facerecon.checkpoints import find_checkpoint
    from facerecon.head.model import FILE_NAME, HeadModel

    started = time.perf_counter()
    model = HeadModel.from_pretrained()
    load = time.perf_counter() - started
    identities = torch.randn(HEADS, len(model.identity_labels), generator=torch.Generator().manual_seed(0))
    expressions = torch.rand(HEADS, len(model.expression_labels), generator=torch.Generator().manual_seed(1))
    took = []
    with torch.inference_mode():
        for _ in range(20):
            started = time.perf_counter()
            model.vertices(identities, expressions)
            took.append(time.perf_counter() - started)
    values = {
        "file_mb": (find_checkpoint("head") / FILE_NAME).stat().st_size / 1e6,
        "load_ms": load * 1e3,
        f"{HEADS}_heads_ms": float(np.median(took)) * 1e3,
    }
    return _list(asked.name, "Head model", values, "")


def way(asked: Asked) -> Table:
    """Seconds for one photo, warm and in a fresh process, and peak memory."""
    from batch.watch import watched

    photo = ROOT / "examples" / "hopper.jpg"
    script = (
        "import sys, time; t = time.perf_counter()\n"
        "from facerecon.images import load_image\nfrom facerecon.pipeline import FaceReconstructor\n"
        "photo, way = load_image(sys.argv[1], max_pixels=480_000), FaceReconstructor.from_pretrained(sys.argv[2])\n"
        "way.run(photo); print(time.perf_counter() - t)\n"
        "for _ in range(5):\n    t = time.perf_counter(); way.run(photo); print(time.perf_counter() - t)\n"
    )
    seen = watched([sys.executable, "-c", script, str(photo), asked.device])
    first, *warm = (float(line) for line in seen.lines)
    values = {
        "fresh_process_s": first, "warm_s": float(np.median(warm)), "peak_memory_gb": seen.peak_bytes / 1e9,
    }  # fmt: skip
    note = "One photo of half a megapixel with one face: restoration, head and texture."
    return _list(asked.name, "The whole way", values, note)


def _milliseconds(work: Callable[[], Any]) -> float:
    """Median processor time of a call, after one that is not counted."""
    took = []
    for _ in range(RUNS + 1):
        started = time.process_time()
        work()
        took.append((time.process_time() - started) * 1000)
    return float(np.median(took[1:]))


def _list(name: str, title: str, values: dict[str, float], note: str) -> Table:
    rows = [[key.replace("_", " "), value] for key, value in values.items()]
    return Table(name, title, ["what", "value"], rows, values, note)
