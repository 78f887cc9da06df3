"""A head that turns once around, and the video of it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from facerecon.images import atomic_write
from facerecon.rendering.pictures import Mode, Topology, framing, render_head, soft_light, studio_light
from facerecon.types import Image, VideoError

DISTANCE_M = 1.1  # about that of a portrait
ELEVATION_DEGREES = 6.0
# VP9 in MP4 plays in every current browser and is in all OpenCV wheels; MPEG-4
# part 2, the fallback, plays in desktop players only.
CODECS = ("vp09", "mp4v")
_MORE_BYTES = 1 << 20  # more than a turntable takes


def turn(vertices: np.ndarray, yaw_degrees: float, pitch_degrees: float = ELEVATION_DEGREES) -> np.ndarray:
    """Turn vertices (V, 3) about their middle and set them before the camera.

    Args:
        yaw_degrees: positive turns the nose to the picture's right.
        pitch_degrees: positive looks down on the head.

    Returns:
        (V, 3) metres, camera frame.
    """
    vertices = np.asarray(vertices, np.float64)
    yaw, pitch = math.radians(yaw_degrees), math.radians(pitch_degrees)
    about_y = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    middle = (vertices.min(0) + vertices.max(0)) / 2
    return (vertices - middle) @ (about_x @ about_y).T + (0, 0, -DISTANCE_M)


def turntable_frames(
    vertices: np.ndarray,
    head: Topology,
    size: int = 384,
    frames: int = 48,
    texture: Image | None = None,
    mode: Mode = "texture",
    lighting: np.ndarray | Tensor | None = None,
    background: Image | tuple[int, int, int] | None = None,
    normal_map: Image | None = None,
    on_frame: Callable[[float], None] | None = None,
) -> Iterator[Image]:
    """Draw a head from all sides, one turn in ``frames`` pictures.

    Args:
        vertices: (V, 3) metres, head frame.
        size: side of the pictures, pixels.
        lighting: (9, 3), at rest while the head turns; None is soft on a texture, a studio's on clay.
        on_frame: told after each picture which share of all is drawn, up to 1.

    The others are those of ``render_head``. Yields (size, size, 3) uint8; the
    first looks at the face from the front, and the camera is the same for all.
    """
    if lighting is None:
        lighting = soft_light() if mode == "texture" else studio_light()
    radius = float(np.linalg.norm((vertices - (vertices.min(0) + vertices.max(0)) / 2)[:, [0, 2]], axis=1).max())
    height = float(np.ptp(vertices[:, 1]))
    box = np.array([[x, y, 0.0] for x in (-radius, radius) for y in (-height / 2, height / 2)])
    focal, principal = framing(box + (0, 0, -DISTANCE_M), size, size, fill=0.84)
    for index in range(frames):
        points = turn(vertices, 360.0 * index / frames)
        yield render_head(points, head, size, focal, principal, texture, mode, lighting, background, normal_map=normal_map)
        if on_frame is not None:
            on_frame((index + 1) / frames)


def write_video(path: str | Path, frames: Iterable[Image], frames_per_second: float = 24.0) -> Path:
    """Write an MP4, whole or not at all.

    Args:
        path: ends in ``.mp4``.
        frames: (H, W, 3) uint8 RGB, all of one size; sides even.

    Raises:
        VideoError: no frames, OpenCV has no encoder for any of ``CODECS``, or the file is not whole.
        ImageError: the disk is full.
    """
    path = Path(path)
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise VideoError(f"There are no frames to write to {path.name}.")
    count = 1
    with atomic_write(path) as temporary:
        part = Path(temporary)
        writer = _open_writer(part, first.shape[1], first.shape[0], frames_per_second)
        try:
            writer.write(np.ascontiguousarray(first[..., ::-1]))
            for count, frame in enumerate(frames, 2):
                writer.write(np.ascontiguousarray(frame[..., ::-1]))
        finally:
            writer.release()
        if _frames_in(part) != count:
            _ask_the_disk(part)
            raise VideoError(f"{path.name} cannot be written whole.")
    return path


def _open_writer(part: Path, width: int, height: int, frames_per_second: float) -> cv2.VideoWriter:
    for codec in CODECS:
        code = cv2.VideoWriter_fourcc(*codec)
        writer = cv2.VideoWriter(str(part), cv2.CAP_FFMPEG, code, frames_per_second, (width, height))
        if writer.isOpened():
            return writer
    _ask_the_disk(part)
    raise VideoError("This OpenCV build cannot write MP4 video.")


def _frames_in(path: Path) -> int:
    """How many frames a video has by its own word; 0 where it was not written to its end."""
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
    video.release()
    return frames


def _ask_the_disk(part: Path) -> None:
    """OpenCV does not say why it could not write a file; the system does, an OSError where the disk is full."""
    with part.open("ab") as file:
        file.write(bytes(_MORE_BYTES))
        os.fsync(file.fileno())
