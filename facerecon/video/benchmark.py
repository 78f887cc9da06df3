"""How much smoothing steadies a performance, and whether it comes late, measured on videos whose motion is known.

Two videos are made: our own head, textured from a photo, that turns, nods, leans, speaks and blinks;
and the photo itself, shifted, turned and rescaled. Both get sensor noise and H.264, and go the way of any video.

    python -m facerecon.video.benchmark examples/hopper.jpg
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from facerecon.faces.align import transform_points
from facerecon.images import load_image
from facerecon.outputs import pose_degrees, write_json
from facerecon.pipeline import FaceReconstructor
from facerecon.rendering.pictures import overlay_head
from facerecon.types import HeadParameters, Image, Reconstruction
from facerecon.video.analysis import VideoAnalyst, Wishes, to_table
from facerecon.video.people import Performance, perform
from facerecon.video.reading import read_frames, read_info
from facerecon.video.smoothing import METHODS
from facerecon.video.store import Table
from facerecon.video.writing import PieceWriter

RATE = 25
SIDE = 360  # pixels of the videos
NOISE = 5.0  # grey levels
ANGLES = ("yaw", "pitch", "roll")


@dataclass(frozen=True)
class Truth:
    """A video and what truly happens in it.

    Attributes:
        frames: (H, W, 3) uint8 each.
        series: by name (T, ...): degrees, landmarks in pixels, expressions.
        size: of the face, pixels.
    """

    frames: list[Image]
    series: dict[str, np.ndarray]
    size: float


def rendered_video(pipeline: FaceReconstructor, photo: Image, count: int) -> Truth:
    """The photo's head, drawn over its blurred background."""
    head: Reconstruction = pipeline.reconstruct(photo)[0]
    ground = cv2.GaussianBlur(photo, (0, 0), SIDE / 12)
    frames, poses, expressions, landmarks = [], [], [], []
    for t in range(count):
        parameters = _moved(head, pipeline.head.expression_labels, t / RATE)
        vertices, points = pipeline.reconstructor.geometry(parameters)
        frames.append(overlay_head(ground, vertices, parameters, pipeline.head, head.texture, "texture"))
        angles = pose_degrees(parameters.rotation)
        poses.append([angles[name] for name in ANGLES])
        expressions.append(parameters.expression)
        landmarks.append(points)
    series = {"pose": np.array(poses), "landmarks": np.array(landmarks), "expression": np.array(expressions)}
    return Truth(frames, series, head.face.size)


def moved_photo(pipeline: FaceReconstructor, photo: Image, count: int) -> Truth:
    """The photo under similarities; landmarks move with it, the expression stays."""
    head: Reconstruction = pipeline.reconstruct(photo, detail=False)[0]
    middle = (photo.shape[1] / 2, photo.shape[0] / 2)
    frames, landmarks = [], []
    for t in range(count):
        s = t / RATE
        matrix = cv2.getRotationMatrix2D(middle, 7 * np.sin(2.4 * s), 1 + 0.08 * np.sin(1.9 * s))
        matrix[:, 2] += 0.06 * SIDE * np.array([np.sin(3.1 * s), np.cos(2.3 * s)])
        frames.append(cv2.warpAffine(photo, matrix, (photo.shape[1], photo.shape[0]), borderMode=cv2.BORDER_REPLICATE))
        landmarks.append(transform_points(head.landmarks_68, matrix))
    expression = np.tile(head.parameters.expression, (count, 1))
    return Truth(frames, {"landmarks": np.array(landmarks), "expression": expression}, head.face.size)


def analyse(pipeline: FaceReconstructor, truth: Truth, restore: bool) -> tuple[Table, Fraction]:
    """The raw rows of a video, through noise and H.264."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.nut"
        with PieceWriter(path, truth.frames[0].shape[:2], Fraction(RATE), Fraction(1, RATE)) as writer:
            for t, frame in enumerate(_noisy(truth.frames)):
                writer.write(frame, t)
        analyst = VideoAnalyst(pipeline, Wishes(restore=restore))
        rows = [row for _, _, of_frame in analyst.analyse(read_frames(path)) for row in of_frame]
        return to_table(rows), read_info(path).time_base


def measure(
    pipeline: FaceReconstructor, truth: Truth, rows: Table, time_base: Fraction
) -> dict[str, dict[str, dict[str, float]]]:
    """For each method of smoothing and each series of the truth: jitter, error and lag.

    Jitter is the standard deviation of second differences, ``true_jitter`` that of the truth;
    ``error`` is the root mean square miss after means are taken out; ``lag`` in frames against
    the truth, ``added_lag`` against what the networks said without smoothing. Pose is in degrees,
    landmarks in percent of the face's size, expression in percent of its range.
    """
    numbers: dict[str, dict[str, dict[str, float]]] = {}
    unsmoothed: dict[str, np.ndarray] = {}
    for method in ("none", *(m for m in METHODS if m != "none")):
        performance = perform(rows, time_base, method, head=pipeline.head)
        kept = np.flatnonzero(performance.table["person"] == 0)
        found = _series(pipeline, performance, kept)
        numbers[method] = {}
        for name, series in truth.series.items():
            scale = 100 / truth.size if name == "landmarks" else 100.0 if name == "expression" else 1.0
            true, seen = (x.reshape(len(x), -1) * scale for x in (series[performance.table["frame"][kept]], found[name]))
            unsmoothed.setdefault(name, seen)
            numbers[method][name] = {
                "jitter": _jitter(seen),
                "true_jitter": _jitter(true),
                "error": float(np.sqrt(np.mean((seen - seen.mean(0) - true + true.mean(0)) ** 2))),
                "added_lag": lag(seen, unsmoothed[name]),
            }
            if np.ptp(true) > 0:  # what stands still is never late
                numbers[method][name]["lag"] = lag(seen, true)
    return numbers


def _series(pipeline: FaceReconstructor, performance: Performance, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What a performance says, in the form of ``Truth.series``."""
    table = performance.table
    return {
        "pose": np.array([[pose_degrees(r)[name] for name in ANGLES] for r in table["rotation"][rows]]),
        "landmarks": np.array([pipeline.reconstructor.geometry(performance.parameters(row))[1] for row in rows]),
        "expression": table["expression"][rows],
    }


def _jitter(series: np.ndarray) -> float:
    return float(np.diff(series, 2, axis=0).std())


def lag(seen: np.ndarray, true: np.ndarray, most: float = 4.0) -> float:
    """Frames by which series (T, D) come after the truth; negative where they come before."""
    t, edge = np.arange(len(true)), int(np.ceil(most)) + 1
    shifts = np.linspace(-most, most, round(20 * most) + 1)
    misses = []
    for shift in shifts:
        late = np.stack([np.interp(t - shift, t, column) for column in true.T], axis=1)
        difference = (seen - late)[edge:-edge]
        misses.append(float(((difference - difference.mean(0)) ** 2).mean()))
    return float(shifts[int(np.argmin(misses))])


def _moved(head: Reconstruction, labels: tuple[str, ...], s: float) -> HeadParameters:
    """The head's parameters at a time, seconds."""
    yaw, pitch, roll = 18 * np.sin(2.5 * s) + 5 * np.sin(6.5 * s), 7 * np.sin(1.7 * s + 1), 6 * np.sin(2.1 * s)
    angles = np.radians([pitch, yaw, roll])
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = turn @ cv2.Rodrigues(np.eye(3)[axis] * angle)[0]
    expression = np.zeros(len(labels), np.float32)
    speech = 0.35 * (1 + np.sin(9 * s)) * (0.5 + 0.5 * np.sin(1.3 * s))
    blink = np.exp(-(((s % 1.6) - 0.8) / 0.06) ** 2)
    for name, value in (("jawOpen", speech), ("eyeBlinkLeft", blink), ("eyeBlinkRight", blink)):
        expression[labels.index(name)] = value
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        expression[labels.index(name)] = 0.3 + 0.3 * np.sin(1.1 * s)
    p = head.parameters
    shift = np.array([0.03 * np.sin(2.2 * s), 0.015 * np.sin(2.9 * s), 0.04 * np.sin(1.4 * s)], np.float32)
    return replace(
        p, rotation=turn.astype(np.float32), translation_m=(p.translation_m + shift).astype(np.float32), expression=expression
    )


def _noisy(frames: list[Image]) -> Iterator[Image]:
    rng = np.random.default_rng(0)
    for frame in frames:
        yield np.clip(frame + rng.normal(0, NOISE, frame.shape), 0, 255).astype(np.uint8)


def run(pipeline: FaceReconstructor, photo: Path, frames: int, restore: bool = False) -> dict:
    """The numbers of :func:`measure` for both videos made from a photo of one face."""
    image = load_image(photo)
    scale = SIDE / max(image.shape[:2])
    size = [round(side * scale) // 2 * 2 for side in image.shape[1::-1]]
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    numbers = {}
    for video, make in (("rendered head", rendered_video), ("moved photo", moved_photo)):
        truth = make(pipeline, image, frames)
        numbers[video] = measure(pipeline, truth, *analyse(pipeline, truth, restore))
    return numbers


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path, help="a photo of one face")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--restore", action="store_true", help="rebuild heads from restored faces")
    parser.add_argument("--output", type=Path, help="JSON file for the numbers")
    arguments = parser.parse_args()
    numbers = run(FaceReconstructor.from_pretrained(), arguments.photo, arguments.frames, arguments.restore)
    for video, by_method in numbers.items():
        for method, series in by_method.items():
            for name, values in series.items():
                print(video, method, name, {key: round(value, 3) for key, value in values.items()})
    if arguments.output:
        write_json(arguments.output, numbers)


if __name__ == "__main__":
    main()
