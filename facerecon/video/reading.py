"""Reads a video frame by frame: upright RGB, with the time each frame is shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace

from facerecon.types import Image, VideoError

logger = logging.getLogger(__name__)

LARGEST_PIXELS = 40_000_000  # of a frame
DEFAULT_RATE = Fraction(25)
# Only containers that hold their own pictures: a playlist could name files and addresses elsewhere.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,gif,nut,mjpeg,h264,hevc,ivf,mxf,dv,apng"
)
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before its frames are read.

    Attributes:
        width, height: of the upright frames, pixels.
        rate: average frames a second.
        time_base: seconds that one step of ``Frame.pts`` lasts.
        frames: how many frames the file says it has, or an estimate from its duration; 0 where unknown.
        has_audio: whether there is sound.
    """

    width: int
    height: int
    rate: Fraction
    time_base: Fraction
    frames: int
    has_audio: bool


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        index: its number in the file, from 0.
        pts: when it is shown, in steps of ``VideoInfo.time_base`` from the start of the file.
        image: (H, W, 3) uint8.
    """

    index: int
    pts: int
    image: Image


def read_info(path: str | Path) -> VideoInfo:
    """Opens a video and reads its first frame, which alone tells whether it is upright.

    Raises:
        VideoError: no such file, not a video, too large a picture, or no frame in it.
    """
    with open_input(path) as container:
        stream = _video_stream(container, path)
        rate = stream.average_rate or stream.guessed_rate or DEFAULT_RATE
        frames = stream.frames or _estimated_frames(container, stream, rate)
        has_audio = bool(container.streams.audio)
        for frame in _decoded(container, stream, path):
            turned = _quarter_turns(frame) % 2
            width, height = (frame.height, frame.width) if turned else (frame.width, frame.height)
            return VideoInfo(width, height, Fraction(rate), Fraction(stream.time_base), frames, has_audio)
    raise VideoError(f"{Path(path).name} holds no frame that can be read.")


def read_frames(path: str | Path, start: int = 0, step: int = 1) -> Iterator[Frame]:
    """Every ``step``-th frame of a video, one in memory at a time.

    Frames before ``start`` are decoded and thrown away: seeking would give other
    pictures in some files, and a run that goes on must see what the first one saw.
    Parts that are damaged are left out with a warning.

    Args:
        path: the video.
        start: first frame number to give.
        step: 1 gives all frames.

    Raises:
        VideoError: as for :func:`read_info`.
    """
    with open_input(path) as container:
        stream = _video_stream(container, path)
        origin, size, last = _start_pts(container, stream), None, -1
        length = 1 / (Fraction(stream.average_rate or DEFAULT_RATE) * Fraction(stream.time_base))
        for index, frame in enumerate(_decoded(container, stream, path)):
            size = size or (frame.width, frame.height)
            shown = last + max(1, round(length)) if frame.pts is None else frame.pts - origin
            last = max(shown, last + 1)  # time only goes forward
            if index >= start and index % step == 0:
                yield Frame(index, last, _to_rgb(frame, size))


@contextmanager
def open_input(path: str | Path) -> Iterator[av.container.InputContainer]:
    """Opens a file for reading, never anything it refers to.

    Raises:
        VideoError: no such file, or not a video.
    """
    path = Path(path)
    if path.is_dir():
        raise VideoError(f"{path} is a folder: give one video.")
    if not path.is_file():
        raise VideoError(f"There is no video {path}.")
    if path.stat().st_size == 0:
        raise VideoError(f"{path.name} is empty.")
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{path.resolve()}", options=options, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise VideoError(f"{path.name} is not a video that can be read.") from error
    with container:
        yield container


def audio_origin(container: av.container.InputContainer) -> Fraction:
    """Seconds to take off every time stamp, so that the file starts at 0."""
    return Fraction(container.start_time or 0, av.time_base)


def _video_stream(container: av.container.InputContainer, path: str | Path) -> av.VideoStream:
    name = Path(path).name
    stream = next((s for s in container.streams.video if not s.disposition & s.disposition.attached_pic), None)
    if stream is None:
        raise VideoError(f"{name} holds no moving picture.")
    if stream.width * stream.height > LARGEST_PIXELS:
        raise VideoError(
            f"The frames of {name} are {stream.width} x {stream.height} pixels; "
            f"at most {LARGEST_PIXELS // 1_000_000} megapixels can be read."
        )
    stream.thread_type = "AUTO"
    return stream


def _decoded(container: av.container.InputContainer, stream: av.VideoStream, path: str | Path) -> Iterator[VideoFrame]:
    damaged = False
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode()
        except av.error.EOFError:
            return
        except (av.error.InvalidDataError, av.error.ValueError):
            if not damaged:
                logger.warning("%s is damaged in parts, which are left out.", Path(path).name)
            damaged = True
            continue
        yield from frames


def _estimated_frames(container: av.container.InputContainer, stream: av.VideoStream, rate: Fraction) -> int:
    if stream.duration:
        return round(stream.duration * stream.time_base * rate)
    return round(Fraction(container.duration or 0, av.time_base) * rate)


def _start_pts(container: av.container.InputContainer, stream: av.VideoStream) -> int:
    return round(audio_origin(container) / Fraction(stream.time_base))


def _quarter_turns(frame: VideoFrame) -> int:
    """By how many quarter turns anticlockwise the picture must be turned to stand upright."""
    return round((frame.rotation or 0) / 90) % 4


def _to_rgb(frame: VideoFrame, size: tuple[int, int]) -> Image:
    """(H, W, 3) uint8, upright; a frame of another size than the first is brought to its ``size``."""
    space = None
    if not frame.format.is_rgb and int(frame.colorspace) in (0, _UNSPECIFIED):
        # Files that do not say are read as players read them.
        space = Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601
    rgb = frame.reformat(*size, format="rgb24", src_colorspace=space, threads=1).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, _quarter_turns(frame)))
