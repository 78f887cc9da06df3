"""Small videos made on the spot, and stand-ins that see what is in them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from facerecon.head.hair import DIRECTIONS, hair_shell
from facerecon.head.model import HeadModel
from facerecon.pipeline import FaceReconstructor
from facerecon.reconstruction.reconstructor import HeadReconstructor
from facerecon.reconstruction.texture import TextureResult
from facerecon.types import Face, HeadParameters, Image, Reconstruction
from tests.fakes import FakeReconstructor, FakeRestorer, make_face

SIZE = (96, 128)  # height, width
SIDE = 36  # of a patch
RATE = Fraction(25)
HAIR_M = 0.02


def patch(seed: int, side: int = SIDE) -> Image:
    """What counts as a face: speckled, with all of the blue there is."""
    coarse = np.random.default_rng(seed).integers(20, 230, (side // 4, side // 4, 3), np.uint8)
    image = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    image[..., 2] = 255
    return image


def picture(places: dict[int, tuple[float, float]], ground: int = 60) -> Image:
    """A frame with patches, by seed, at (x, y) of their upper left corners."""
    height, width = SIZE
    image = np.full((height, width, 3), (ground, 90, 30), np.uint8)
    for seed, (x, y) in places.items():
        matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
        cv2.warpAffine(patch(seed), matrix, (width, height), image, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
    return image


def stroll(frames: int, cut: int | None = None) -> Iterator[Image]:
    """A patch that wanders, before another ground and as another patch from frame ``cut`` on."""
    for t in range(frames):
        place = (40 + 25 * np.sin(t / 9), 28 + 10 * np.cos(t / 7))
        yield picture({1: place}) if cut is None or t < cut else picture({2: (place[0] + 5, place[1])}, ground=230)


def write_clip(
    path: Path, images: Iterable[Image], times: Iterable[int] | None = None, sound: str | None = "aac", codec: str = "libx264"
) -> Path:
    """Writes a video; ``times`` are time stamps in hundredths of a second, 4 apart by default."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100)
        stream.options = {"crf": "12", "preset": "ultrafast"}
        voice = None if sound is None else output.add_stream(sound, rate=8000, layout="mono")
        stamps, count = iter(times or ()), 0
        for image in images:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = next(stamps, count * 4), Fraction(1, 100)
            output.mux(stream.encode(frame))
            count += 1
        output.mux(stream.encode())
        if voice is not None:
            _hum(output, voice, count * 320)
    return path


def _hum(output: av.container.OutputContainer, voice: av.AudioStream, samples: int) -> None:
    wave = (8000 * np.sin(np.arange(samples) / 3)).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
    frame.sample_rate, frame.pts = 8000, 0
    if not voice.codec_context.is_open:
        voice.codec_context.open()
    resampler = av.AudioResampler(voice.format, voice.layout, 8000, voice.codec_context.frame_size or 0)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        output.mux(voice.encode(part))
    output.mux(voice.encode(None))


class PatchDetector:
    """Finds patches, the largest first, and counts its looks."""

    version = "fake-1"

    def __init__(self) -> None:
        self.looks = 0

    def detect(self, image: Image) -> list[Face]:
        """All of them, however badly compressed."""
        self.looks += 1
        blue = (image[..., 2] > 200).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(cv2.morphologyEx(blue, cv2.MORPH_OPEN, np.ones((5, 5))))
        found = [make_face(x, y, (w + h) / 2) for x, y, w, h, area in stats[1:] if area > 200]
        return sorted(found, key=lambda face: -face.size)


class StillReconstructor(FakeReconstructor):
    """The mean head wherever a face is, drawn and painted in no time."""

    geometry = HeadReconstructor.geometry

    def _one(self, image, face, known, focal_px) -> Reconstruction:
        head = super()._one(image, face, known, focal_px)
        return replace(head, landmarks_68=self.geometry(head.parameters)[1])

    def masks_of(self, photos, faces) -> list[str]:
        """Stand-ins that :meth:`paint` has to get."""
        return ["judged"] * len(faces)

    def with_hair(self, photo, parameters, vertices, masks) -> tuple[HeadParameters, np.ndarray]:
        """Two centimetres of hair."""
        assert masks == "judged"
        hair = np.full(DIRECTIONS, HAIR_M, np.float32)
        return replace(parameters, hair=hair), hair_shell(self.head).grow(vertices, hair)

    def paint(self, photo, parameters, vertices, masks) -> TextureResult:
        """The photo's mean colour."""
        hairy = vertices[:, 1].max() > self.head.vertices()[0, :, 1].max() + 0.9 * HAIR_M
        assert masks == "judged" and hairy == (parameters.hair is not None)
        return TextureResult(np.full((32, 32, 3), photo.reshape(-1, 3).mean(0), np.uint8), np.full((32, 32), 255, np.uint8), None, None)

    def sculpt(self, painted, parameters, vertices, trust) -> None:
        """Nothing."""
        assert 0 <= trust <= 1


class SlowRestorer(FakeRestorer):
    """Leaves time to be killed in."""

    def restore(self, crops, fidelity=0.7):
        time.sleep(0.01 * len(crops))
        return super().restore(crops, fidelity)


def make_pipeline(slow: bool = False) -> FaceReconstructor:
    """The pipeline with stand-ins for every network."""
    head = HeadModel.from_pretrained()
    return FaceReconstructor(PatchDetector(), SlowRestorer() if slow else FakeRestorer(), StillReconstructor(head), head)
