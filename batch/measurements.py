"""Each table of docs/BENCHMARKS.md, measured with the functions of ``train/*/evaluate.py``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from batch.tables import Table
from facerecon.types import FaceReconError

ROOT = Path(__file__).resolve().parents[1]
HEADS = 32


def restoration(data: Path, output: Path, limit: int | None, device: str) -> Table:
    """PSNR and SSIM of restored photos by level of damage, inside the face boxes."""
    from facerecon.pipeline import FaceReconstructor
    from train.restoration.evaluate import INPUT, OURS, benchmark

    _need(data / "degradations.csv")
    values = benchmark(FaceReconstructor.from_pretrained(device), data, output / "restoration", limit)
    columns = ["level", "input PSNR", "input SSIM"]
    columns += [f"{what} at {f:g}" for f in OURS.values() for what in ("PSNR", "SSIM")] + ["gain at 1", "no face found %"]
    rows = []
    for level, v in values["levels"].items():
        row = [level, v[INPUT]["psnr"], v[INPUT]["ssim"]]
        row += [v[method][what] for method in OURS for what in ("psnr", "ssim")]
        rows.append(row + [values["gains"][level]["all"]["gain"], 100 * v["ours_w1"]["no_face"]])
    note = f"{'All' if limit is None else f'About {limit}'} photos of {data.name}; dB and SSIM inside the face boxes."
    chart = ["gain at 1", "input PSNR", "PSNR at 1.0", "PSNR at 1", "SSIM at 1"]
    return Table("restoration", "Restoration", columns, rows, values, note, chart)


def landmarks(data: Path, output: Path, limit: int | None, device: str) -> Table:
    """Landmarks of reconstructed heads against true ones, by yaw."""
    from facerecon.reconstruction.reconstructor import HeadReconstructor
    from train.reconstruction.evaluate import landmark_benchmark

    folder = data if (data / "landmarks68.csv").exists() else data / "YTF"
    _need(folder / "landmarks68.csv")
    values = landmark_benchmark(HeadReconstructor.from_pretrained(device=device), folder)
    rows: list[list[Any]] = [["all", values["faces"], values["mean_percent"]]]
    rows += [[name.replace("_", " "), v["faces"], v["mean_percent"]] for name, v in values["by_yaw"].items()]
    note = "Mean distance of 68 landmarks over the root of the box area, percent."
    return Table("landmarks", "Landmarks", ["yaw, degrees", "faces", "error %"], rows, values, note, ["error %"])


def shape(data: Path, output: Path, limit: int | None, device: str) -> Table:
    """Vertex errors on rendered heads that training never saw."""
    from facerecon.reconstruction.reconstructor import HeadReconstructor
    from train.reconstruction.evaluate import shape_benchmark

    _need(data / "labels.npz")
    values = shape_benchmark(HeadReconstructor.from_pretrained(device=device), data)
    rows = [[key.replace("_", " "), value] for key, value in values.items() if key != "faces"]
    return Table("shape", "Shape", ["what", "value"], rows, values, f"{values['faces']} rendered heads.")


def identity(data: Path, output: Path, limit: int | None, device: str) -> Table:
    """Verification of pairs of faces, clean and damaged."""
    from facerecon.identity import IdentityEncoder
    from train.identity.evaluate import milliseconds, verification

    _need(data / "LFW" / "pairs.csv")
    encoder = IdentityEncoder.from_pretrained(device=device)
    values = {"verification": verification(encoder, data / "LFW"), "milliseconds": milliseconds(encoder)}
    keys = list(next(iter(values["verification"].values())))
    rows = [[level, *(scores[key] for key in keys)] for level, scores in values["verification"].items()]
    columns = ["second photo", *(key.replace("_", " ") for key in keys)]
    return Table("identity", "Identity", columns, rows, values, "Pairs of LFW's development test, ten folds.")


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
    rows: list[list[Any]] = [[key.replace("_", " "), value] for key, value in values.items()]
    return Table("head", "Head model", ["what", "value"], rows, values)


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
    rows: list[list[Any]] = [[key.replace("_", " "), value] for key, value in values.items()]
    note = "One photo of half a megapixel with one face: restoration, head and texture."
    return Table("way", "The whole way", ["what", "value"], rows, values, note)


def _need(path: Path) -> None:
    if not path.exists():
        raise FaceReconError(f"There is no {path}: give --data the folder that this table is measured on.")
