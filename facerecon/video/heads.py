"""The people of a video as files: heads with a clip, and a table of what they do frame by frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from facerecon.export import Clip
from facerecon.images import atomic_write
from facerecon.outputs import pose_degrees
from facerecon.pipeline import FaceReconstructor
from facerecon.reconstruction.detail import trust_in
from facerecon.restoration.photo import reconstruction_sources
from facerecon.scaling import scale_face, scale_parameters
from facerecon.types import Face, Image, Reconstruction
from facerecon.video.analysis import Wishes
from facerecon.video.people import Performance, Person

CLIP_NAME = "performance"


def rebuild(
    pipeline: FaceReconstructor, frame: Image, performance: Performance, person: Person, wishes: Wishes
) -> Reconstruction:
    """A person's head, textured, as it is in the frame that shows the face best.

    Args:
        frame: that frame, row ``person.best`` of the performance.
        wishes: whether the texture comes from a restored face where the frame is not sharp, and whether the head has hair.
    """
    face, parameters = face_of(performance, person.best), performance.parameters(person.best)
    image, scale = frame, 1
    if wishes.restore:
        restoration = pipeline.restore_found([frame], [[(person.number, face)]], wishes.fidelity, 1, score=False)[0]
        image, scale = reconstruction_sources(frame, restoration)[0]
    vertices, landmarks = pipeline.reconstructor.geometry(parameters)
    seen = scale_parameters(parameters, scale)
    there = scale_face(face, scale)
    (masks,) = pipeline.reconstructor.masks_of([image], [there])
    if wishes.hair:
        seen, vertices = pipeline.reconstructor.with_hair(image, seen, vertices, masks)
        parameters = replace(parameters, hair=seen.hair)
    painted = pipeline.reconstructor.paint(image, seen, vertices, masks=masks)
    detail = pipeline.reconstructor.sculpt(painted, seen, vertices, trust_in(image, there))
    quality = {"frames": person.frames, "best_frame": int(performance.table["frame"][person.best])}
    return Reconstruction(
        person.number, face, parameters, vertices, landmarks, painted.texture, painted.visibility, quality, detail=detail
    )


def face_of(performance: Performance, row: int) -> Face:
    """Where the face of a row is in its frame."""
    table = performance.table
    return Face(table["box"][row], table["points"][row], float(table["score"][row]))


def clip_of(performance: Performance, person: Person) -> Clip:
    """What a person does, from the moment the face is first seen."""
    rows = np.flatnonzero(performance.table["person"] == person.number)
    times = performance.times(rows)
    return Clip(
        CLIP_NAME, times - times[0], performance.table["expression"][rows], performance.table["rotation"][rows]
    )


def write_parquet(path: Path, performance: Performance, pipeline: FaceReconstructor) -> Path:
    """Writes one row a face and frame; the columns are in docs/OUTPUTS.md. Whole or not at all."""
    table = performance.table
    rows = len(table["frame"])
    poses = [pose_degrees(rotation) for rotation in table["rotation"]]
    landmarks = [pipeline.reconstructor.geometry(performance.parameters(row))[1] for row in range(rows)]
    columns: dict[str, Any] = {
        "frame": table["frame"],
        "time_s": performance.times(),
        **{name: table[name] for name in ("scene", "track", "person", "detected", "score")},
        **_spread("box", ("x0", "y0", "x1", "y1"), table["box"]),
        **{name: np.array([pose[name] for pose in poses], np.float32) for name in ("yaw", "pitch", "roll")},
        "focal_px": table["focal_px"],
        **_spread("principal", ("x", "y"), table["principal_point"]),
        **_spread("translation_m", ("x", "y", "z"), table["translation_m"]),
        "landmarks_68": _lists(np.array(landmarks, np.float32)),
        **_spread("expression", pipeline.head.expression_labels, table["expression"]),
        "lighting": _lists(table["lighting"]),
        "resolution": table["resolution"],
        "blur": table["blur"],
    }
    with atomic_write(path) as part:
        parquet.write_table(pa.table(columns), part, compression="zstd")
    return path


def _spread(name: str, parts: tuple[str, ...], values: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{name}_{part}": np.ascontiguousarray(values[:, i]) for i, part in enumerate(parts)}


def _lists(values: np.ndarray) -> pa.Array:
    """(N, A, B) as a column of lists of lists of fixed length."""
    flat = pa.array(np.ascontiguousarray(values, np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(pa.FixedSizeListArray.from_arrays(flat, values.shape[2]), values.shape[1])
