"""``STAGE_stats.json``: what a run's photos came to, made from the manifest alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from batch.manifest import Manifest
from batch.task import Task
from facerecon.images import atomic_write


def statistics_file(folder: Path, stage: str) -> Path:
    """Where the statistics of a stage are."""
    return folder / f"{stage}_stats.json"


def write_statistics(manifest: Manifest, folder: Path, task: Task) -> list[Path]:
    """Writes the statistics of each stage of a task, photos by name; one photo is held in memory at a time."""
    files = []
    for stage in task.stages:
        files.append(statistics_file(folder, stage))
        with atomic_write(files[-1]) as part, Path(part).open("w", encoding="utf-8") as file:
            totals: dict[str, Any] = {"photos": 0, "done": 0, "failed": 0, "faces": 0, "seconds": 0.0}
            file.write('{\n "results": [')
            comma = ""
            failures = []
            for record in manifest.of_stage(stage):
                totals["photos"] += 1
                if record.status != "done":
                    failures.append({"name": record.name, "input": record.input, "error": record.error})
                    continue
                figures = record.figures.get(stage, {})
                totals["done"] += 1
                totals["faces"] += task.count(stage, figures)
                totals["seconds"] += record.seconds
                entry = {"name": record.name, "input": record.input, **figures, "seconds": record.seconds}
                file.write(f"{comma}\n  {json.dumps(entry)}")
                comma = ","
            totals["failed"], totals["seconds"] = len(failures), round(totals["seconds"], 3)
            file.write(f"\n ],\n \"failures\": {json.dumps(failures)},\n ")
            file.write(json.dumps(totals)[1:-1] + "\n}\n")
    return files
