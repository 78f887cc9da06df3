"""Each table of docs/BENCHMARKS.md, measured with the functions of ``train/*/evaluate.py``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from batch.tables import Table, table_of
from facerecon.types import FaceReconError

ROOT = Path(__file__).resolve().parents[1]
HEADS = 32


def restoration(data: Path, output: Path, limit: int | None, device: str) -> Table:
    """Restored photos against their clean originals, by level of damage."""
    from facerecon.pipeline import FaceReconstructor
    from train.restoration.evaluate import benchmark

    _need(data / "degradations.csv")
    folder = output / "restoration_pictures"
    folder.mkdir(parents=True, exist_ok=True)
    values = benchmark(FaceReconstructor.from_pretrained(device), data, folder, limit)
    photos = "all" if limit is None else f"about {limit}"
    return table_of("restoration", "Restoration", values, f"Inside the face boxes of {photos} photos of {data.name}.")


def identity(data: Path, output: Path, limit: int | None, device: str) -> Table:
    """Verification of pairs of faces, clean and damaged."""
    from facerecon.identity import IdentityEncoder
    from train.identity.evaluate import milliseconds, verification

    _need(data / "LFW" / "pairs.csv")
    encoder = IdentityEncoder.from_pretrained(device=device)
    values = {"verification": verification(encoder, data / "LFW"), "milliseconds": milliseconds(encoder)}
    return table_of("identity", "Identity", values, "Pairs of LFW's development test, ten folds.")


def clusters(data: Path, output: Path, limit: int | None, device: str) -> Table:
    """Photos grouped by person."""
    from facerecon.identity import ClusterSettings, IdentityEncoder
    from train.identity.evaluate_clusters import embeddings, measure

    _need(data / "LFW")
    vectors, people = embeddings(IdentityEncoder.from_pretrained(device=device), data / "LFW")
    return table_of("clusters", "Grouping by person", measure(vectors, people, ClusterSettings()))


def demographics(data: Path, output: Path, limit: int | None, device: str) -> Table:
    """Age, gender and ancestry against the labels of UTKFace or FairFace, by group."""
    from facerecon.demographics.estimator import DemographicsEstimator
    from facerecon.demographics.labels import RACE_SYSTEMS
    from train.data import open_dataset
    from train.demographics.evaluate import found_faces, measure

    system = next((name for name in RACE_SYSTEMS if name in data.name.lower()), None)
    if system is None:
        raise FaceReconError(f"The folder {data.name} should be called after its dataset: {' or '.join(RACE_SYSTEMS)}.")
    pack = open_dataset(system, data)
    estimator = DemographicsEstimator.from_pretrained(device=device)
    estimates = estimator.predict([pack.image(i) for i in range(len(pack))], found_faces(pack, None))
    values = measure(estimates, [pack.labels(i) for i in range(len(pack))], system)
    return table_of(f"demographics_{system}", f"Demographics, {system}", values)


def reconstruction(what: str, data: Path, device: str) -> Table:
    """A benchmark of ``train.reconstruction.evaluate``."""
    from facerecon.reconstruction.reconstructor import HeadReconstructor
    from train.reconstruction.evaluate import run

    if what == "landmarks":
        data = data if (data / "landmarks68.csv").exists() else data / "YTF"
        _need(data / "landmarks68.csv")
    values = run(what, HeadReconstructor.from_pretrained(device=device), data, data if what == "shape" else None)
    return table_of(what, f"Reconstruction: {what}", values)


def head(data: Path | None, output: Path, limit: int | None, device: str) -> Table:
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
    return _list("head", "Head model", values, "")


def way(data: Path | None, output: Path, limit: int | None, device: str) -> Table:
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
    seen = watched([sys.executable, "-c", script, str(photo), device])
    first, *warm = (float(line) for line in seen.lines)
    values = {
        "fresh_process_s": first, "warm_s": float(np.median(warm)), "peak_memory_gb": seen.peak_bytes / 1e9,
    }  # fmt: skip
    note = "One photo of half a megapixel with one face: restoration, head and texture."
    return _list("way", "The whole way", values, note)


def _list(name: str, title: str, values: dict[str, float], note: str) -> Table:
    rows = [[key.replace("_", " "), value] for key, value in values.items()]
    return Table(name, title, ["what", "value"], rows, values, note)


def _need(path: Path) -> None:
    if not path.exists():
        raise FaceReconError(f"There is no {path}: give --data the folder that this table is measured on.")
