"""Codecs that throw detail away: JPEG, WebP, H.264."""

from __future__ import annotations

import importlib.util
from io import BytesIO

import cv2
import numpy as np

from facerecon.types import FaceReconError, Image


def jpeg(image: Image, quality: int) -> Image:
    """JPEG and back."""
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1], cv2.IMREAD_COLOR)


def webp(image: Image, quality: int) -> Image:
    """Lossy WebP and back."""
    return cv2.imdecode(cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, int(quality)])[1], cv2.IMREAD_COLOR)


def video_available() -> bool:
    """Whether :func:`video` can run: it needs PyAV (``pip install av``)."""
    return importlib.util.find_spec("av") is not None


def video(image: Image, crf: int, frames: int = 3, shift: float = 1.5, angle: float = 0.0) -> Image:
    """A frame of an H.264 video in which the face moves a little.

    Args:
        crf: constant rate factor of x264, 0 lossless to 51 worst; calls are about 28 to 40.
        frames: how many frames lead up to ours, which is predicted from them.
        shift: movement from frame to frame, pixels.
        angle: its direction, degrees.

    Raises:
        FaceReconError: PyAV is not installed.
    """
    if not video_available():
        raise FaceReconError("Video compression needs PyAV: pip install av.")
    import av

    height, width = image.shape[:2]
    padded = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    step = shift * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    buffer = BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = padded.shape[1], padded.shape[0], "yuv420p"
        # Without threads and lookahead, with which one call in forty came out otherwise.
        alone = "threads=1:lookahead-threads=1:sync-lookahead=0:rc-lookahead=0"
        stream.options = {"crf": str(int(crf)), "preset": "veryfast", "threads": "1", "x264-params": alone}
        for back in range(frames, -1, -1):
            matrix = np.array([[1, 0, -back * step[0]], [0, 1, -back * step[1]]])
            moved = cv2.warpAffine(padded, matrix, padded.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        container.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as container:
        *_, last = container.decode(video=0)
    return np.ascontiguousarray(last.to_ndarray(format="rgb24")[:height, :width])
