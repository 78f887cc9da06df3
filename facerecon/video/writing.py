"""Writes pieces of a video and joins them, with the sound of the original.

Pieces are H.264 without frames that refer forward, so that the time stamps of one end
before those of the next begin, and are joined packet by packet, never encoded again.
The number of encoder threads is fixed: equal frames give equal bytes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from facerecon.images import atomic_write
from facerecon.types import Image, VideoError
from facerecon.video.reading import audio_origin, open_input

PIECE_SUFFIX = ".nut"  # keeps time stamps exactly, whatever the time base
KEYFRAME_EVERY_S = 2
_OPTIONS = {"crf": "18", "preset": "fast", "bf": "0"}
_THREADS = 2
_BT709 = 1
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
# Sound that MP4 holds as it is; any other is encoded as AAC.
_COPIED_SOUND = frozenset(("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"))


class PieceWriter:
    """Encodes frames into one piece of a video; a context manager.

    Args:
        path: ends in ``PIECE_SUFFIX``; the caller writes aside and renames.
        size: (height, width) of the frames; odd sides lose a row or column.
        rate: frames a second on average.
        time_base: seconds a step of the time stamps.
    """

    def __init__(self, path: Path, size: tuple[int, int], rate: Fraction, time_base: Fraction) -> None:
        self.height, self.width = size[0] // 2 * 2, size[1] // 2 * 2
        self.time_base = Fraction(time_base)
        self._container = av.open(str(path), "w", format="nut")
        stream = self._container.add_stream("libx264", rate=Fraction(rate).limit_denominator(65535))
        stream.width, stream.height, stream.pix_fmt = self.width, self.height, "yuv420p"
        context = stream.codec_context
        context.time_base, context.thread_count = self.time_base, _THREADS
        context.gop_size = max(1, round(KEYFRAME_EVERY_S * rate))
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = ColorRange.MPEG
        context.options = dict(_OPTIONS)
        self._stream = stream

    def write(self, image: Image, pts: int) -> None:
        """Adds a frame (H, W, 3) uint8, to be shown at ``pts``."""
        rgb = VideoFrame.from_ndarray(np.ascontiguousarray(image[: self.height, : self.width]), format="rgb24")
        frame = rgb.reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG, threads=1
        )
        frame.pts, frame.time_base = pts, self.time_base
        self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> PieceWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._container.mux(self._stream.encode())
        self._container.close()


def join_pieces(pieces: Sequence[Path], path: Path, sound: Path | None = None) -> Path:
    """Joins pieces into an MP4, whole or not at all.

    Args:
        pieces: what :class:`PieceWriter` wrote, in order.
        path: ends in ``.mp4``.
        sound: the video whose first sound track goes along; None, or one without sound, gives a silent video.

    Raises:
        VideoError: no pieces, or the file cannot be written.
    """
    if not pieces:
        raise VideoError(f"There are no frames to write to {path.name}.")
    with atomic_write(path) as part:
        try:
            with av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as output:
                _join(output, pieces, sound)
        except av.error.FFmpegError as error:
            if isinstance(error, OSError) and error.errno:
                raise  # atomic_write says what the disk had against it
            raise VideoError(f"{path.name} cannot be written: {error}.") from error
    return path


def _join(output: av.container.OutputContainer, pieces: Sequence[Path], sound: Path | None) -> None:
    with av.open(str(pieces[0])) as first:
        picture = output.add_stream_from_template(first.streams.video[0])
    if sound is None:
        for _, packet in _picture_packets(pieces, picture):
            output.mux(packet)
        return
    with open_input(sound) as source:
        packets = [_picture_packets(pieces, picture)]
        if source.streams.audio:
            packets.append(_sound_packets(source, output))
        for _, packet in heapq.merge(*packets, key=lambda pair: pair[0]):
            output.mux(packet)


def _picture_packets(pieces: Sequence[Path], stream: av.VideoStream) -> Iterator[tuple[Fraction, av.Packet]]:
    """Packets with the time, in seconds, at which they are due."""
    for piece in pieces:
        with av.open(str(piece)) as container:
            for packet in container.demux(video=0):
                if packet.dts is not None:
                    due = packet.dts * Fraction(packet.time_base)
                    packet.stream = stream
                    yield due, packet


def _sound_packets(
    source: av.container.InputContainer, output: av.container.OutputContainer
) -> Iterator[tuple[Fraction, av.Packet]]:
    track, origin = source.streams.audio[0], audio_origin(source)
    copied = track.codec_context.name in _COPIED_SOUND
    stream = output.add_stream_from_template(track) if copied else _aac(output, track)
    packets = _copied(source, track) if copied else _encoded(source, track, stream)
    return _shifted(packets, stream, origin)


def _aac(output: av.container.OutputContainer, track: av.AudioStream) -> av.AudioStream:
    rate = track.rate if track.rate in _AAC_RATES else _AAC_RATES[-1]
    return output.add_stream("aac", rate=rate, layout="mono" if track.channels == 1 else "stereo")


def _shifted(
    packets: Iterator[av.Packet], stream: av.AudioStream, origin: Fraction
) -> Iterator[tuple[Fraction, av.Packet]]:
    for packet in packets:
        steps = round(origin / Fraction(packet.time_base))
        packet.pts, packet.dts = packet.pts - steps, packet.dts - steps
        due = packet.dts * Fraction(packet.time_base)
        packet.stream = stream
        yield due, packet


def _copied(source: av.container.InputContainer, track: av.AudioStream) -> Iterator[av.Packet]:
    for packet in source.demux(track):
        if packet.dts is not None and packet.pts is not None:
            yield packet


def _encoded(
    source: av.container.InputContainer, track: av.AudioStream, stream: av.AudioStream
) -> Iterator[av.Packet]:
    context = stream.codec_context
    if not context.is_open:
        context.open()  # only then it tells its frame size
    resampler = av.AudioResampler(context.format, context.layout, context.sample_rate, context.frame_size)
    for packet in source.demux(track):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue  # a damaged moment of sound
        for frame in frames:
            for even in resampler.resample(frame):
                yield from stream.encode(even)
    for even in resampler.resample(None):
        yield from stream.encode(even)
    yield from stream.encode(None)
