"""Photos a second of a run against a plain loop that does one photo after the other."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from batch.benchmarks import Asked
from batch.inputs import find_photos
from batch.tables import Table
from batch.watch import Seen, watched
from facerecon.types import FaceReconError

WARM_UP = 4  # photos whose time is not counted: processes start, code is compiled


def throughput(asked: Asked) -> Table:
    """Photos a second, CPU use and memory of a plain loop, and of a run with one and with two workers."""
    data, count, device = asked.data, asked.limit or 48, asked.device
    with tempfile.TemporaryDirectory(prefix="facerecon-throughput-") as scratch:
        folder = Path(scratch) / "in"
        _repeat(data, folder, count)
        ways = {
            "plain loop": ["-c", "import sys; from batch.throughput import plain_loop; plain_loop(*sys.argv[1:])"],
            "1 worker": ["-m", "batch", "run"],
            "2 workers": ["-m", "batch", "run"],
        }
        values: dict[str, Any] = {"photos": count, "cores": os.cpu_count()}
        for number, (name, start) in enumerate(ways.items()):
            there = str(Path(scratch) / f"out{number}")
            options = [] if number == 0 else ["--json", "--num-workers", str(number), "--device", device]
            arguments = [str(folder), there, device] if number == 0 else [str(folder), "-o", there, *options]
            values[name] = _figures(watched([sys.executable, *start, *arguments]))
            shutil.rmtree(there)
    plain = values["plain loop"]["photos_per_second"]
    rows = [
        [name, v["photos_per_second"], v["photos_per_second"] / plain, v["cpu_cores"], v["cpu_seconds_per_photo"], v["peak_gb"]]
        for name, v in values.items() if isinstance(v, dict)
    ]  # fmt: skip
    columns = ["way", "photos/s", "times the plain loop", "cores in use", "CPU s a photo", "peak GB"]
    note = f"{count} photos of {data.name}, `run` with its default options; start-up is not counted."
    return Table("throughput", "Throughput", columns, rows, values, note)


def plain_loop(source: str, output: str, device: str) -> None:
    """One photo after the other, nothing overlapping; a line of JSON for each."""
    from batch.photo_task import PhotoTask, Settings
    from batch.place import Place
    from batch.worker import Worker

    task = PhotoTask(Settings(), device)
    task.load()
    worker = Worker(task, Place(output), "")
    for photo in find_photos(source, output):
        (record,) = worker.do([photo])
        print(json.dumps({"event": "item", "status": record.status}), flush=True)


def _figures(seen: Seen) -> dict[str, float]:
    """Rate after the warm-up, from when each photo was reported."""
    times = [time for time, line in zip(seen.times, seen.lines) if json.loads(line).get("event") == "item"]
    if len(times) <= WARM_UP + 1:
        raise FaceReconError("Too few photos to measure: give at least 8.")
    rate = (len(times) - 1 - WARM_UP) / (times[-1] - times[WARM_UP])
    return {
        "photos_per_second": rate,
        "wall_seconds": seen.seconds,
        "cpu_cores": seen.cpu_seconds / seen.seconds,
        "cpu_seconds_per_photo": seen.cpu_seconds / len(times),
        "peak_gb": seen.peak_bytes / 1e9,
    }


def _repeat(source: Path, folder: Path, count: int) -> None:
    """A folder of ``count`` photos: those of ``source``, again and again."""
    photos = list(find_photos(source, folder.parent / "none"))
    folder.mkdir()
    for number in range(count):
        photo = photos[number % len(photos)]
        shutil.copy(photo.location, folder / f"{number:04d}{Path(photo.location).suffix}")
