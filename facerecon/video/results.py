"""The files a video becomes; names and columns are documented in docs/OUTPUTS.md."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facerecon.output_names import RECONSTRUCTION_FOLDERS, existing_files, video_record
from facerecon.outputs import write_head, write_json, write_parameters
from facerecon.video.heads import clip_of, write_parquet
from facerecon.video.job import VideoJob
from facerecon.video.people import Performance


def finished(output: Path, name: str, key: str) -> dict[str, Any] | None:
    """The record of an earlier run under the same key whose files are all there, or None."""
    record = _record(output, name)
    try:
        whole = record["key"] == key and all((output / file).is_file() for file in record["files"])
    except (KeyError, TypeError):
        return None
    return record if whole else None


def earlier_key(output: Path, name: str) -> str | None:
    """The key of the run whose results lie under ``name``, or None where there are none."""
    key = _record(output, name).get("key")
    return key if isinstance(key, str) else None


def _record(output: Path, name: str) -> dict[str, Any]:
    try:
        record = json.loads(video_record(output, name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_results(
    job: VideoJob,
    output: Path,
    name: str,
    key: str,
    versions: dict[str, str],
    formats: Sequence[str] = ("glb",),
    replacing: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Does what is missing of a job and writes its files.

    Args:
        job: the video.
        output: folder for the results.
        name: stem of their names.
        key: names video, settings and weights, as for the job.
        versions: code and weights.
        formats: of each head: ``"glb"``, ``"gltf"``.
        replacing: called when the heads are known, before those that lie under ``name`` are removed.

    Returns:
        The record, which is written last.

    Raises:
        NoFaceError: there is no face in any frame.
        FaceReconError: something cannot be written.
    """
    started = time.perf_counter()
    video_record(output, name).unlink(missing_ok=True)
    performance = job.perform()
    replacing()
    for file in existing_files(output, name, RECONSTRUCTION_FOLDERS):  # pictures and codes of a photo's heads, too
        file.unlink(missing_ok=True)
    files = _write_videos(job, output / "videos", name, performance)
    files.append(write_parquet(output / "parameters" / f"{name}.parquet", performance, job.pipeline))
    model = job.pipeline.head
    size = np.broadcast_to(np.uint8(0), (job.info.height, job.info.width, 3))
    for person, head in zip(performance.people, job.heads(performance)):
        files += write_head(output, name, head, model, formats, clip_of(performance, person))
        files.append(write_parameters(output, name, size, head, model, versions))
    record = {
        "key": key,
        "input": job.source.name,
        "files": [file.relative_to(output).as_posix() for file in files],
        **_figures(job, performance),
        "model_versions": versions,
        "seconds": round(time.perf_counter() - started, 3),
    }
    write_json(video_record(output, name), record)
    job.finish()
    return record


def _write_videos(job: VideoJob, folder: Path, name: str, performance: Performance) -> list[Path]:
    """Those that were asked for; those of other settings go."""
    restored, panels = folder / f"{name}_restored.mp4", folder / f"{name}_reconstruction.mp4"
    files = []
    if job.settings.wishes.restore:
        files.append(job.write_restored(restored))
    if job.settings.layout.panels:
        files.append(job.write_reconstruction(panels, performance))
    for path in {restored, panels} - set(files):
        path.unlink(missing_ok=True)
    return files


def _figures(job: VideoJob, performance: Performance) -> dict[str, Any]:
    return {
        "frames": job.frames_done,
        "frames_with_faces": len(np.unique(performance.table["frame"])),
        "frames_per_second": round(float(job.info.rate) / (job.settings.frame_skip + 1), 4),
        "scenes": int(performance.table["scene"].max()) + 1,
        "people": [_person(performance, number) for number in range(len(performance.people))],
    }


def _person(performance: Performance, number: int) -> dict[str, Any]:
    person = performance.people[number]
    times = performance.times(performance.table["person"] == number)
    return {
        "index": number,
        "tracks": list(person.tracks),
        "frames": person.frames,
        "first_s": round(float(times[0]), 4),
        "last_s": round(float(times[-1]), 4),
        "best_frame": int(performance.table["frame"][person.best]),
    }
