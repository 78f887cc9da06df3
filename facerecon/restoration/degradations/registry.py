"""Every degradation by name, with the ranges its numbers are drawn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from facerecon.restoration.degradations import blur, compression, noise, prints, resampling
from facerecon.types import FaceReconError, Image

Range = tuple[float, float] | tuple[int, int] | tuple[str, ...]


@dataclass(frozen=True)
class Degradation:
    """One named degradation.

    Attributes:
        name: key in :data:`DEGRADATIONS`.
        about: what it imitates.
        ranges: argument name to ``(low, high)``, drawn evenly, whole numbers where both are; or
            to a tuple of words, one of which is drawn.
        lengths: names of those arguments that are pixels of a 256-pixel crop and grow with the image.
        function: called with image, the arguments, and ``rng`` where ``seeded``.
        seeded: whether it draws more than its arguments, such as the noise itself.
    """

    name: str
    about: str
    function: Callable[..., Image]
    ranges: dict[str, Range]
    lengths: tuple[str, ...] = ()
    seeded: bool = False

    def draw(self, rng: np.random.Generator, strength: float | None = None) -> dict[str, Any]:
        """Values for all arguments; ``strength`` in [0, 1] takes that place in every range of numbers."""
        return {key: _draw(bounds, rng, strength) for key, bounds in self.ranges.items()}

    def apply(self, image: Image, rng: np.random.Generator, **values: Any) -> Image:
        """The degraded image; arguments that are not given are drawn.

        Args:
            image: (H, W, 3) uint8, not touched.
            rng: where all randomness comes from.
            values: arguments by name, lengths in pixels of a 256-pixel crop.

        Raises:
            FaceReconError: there is no such argument.
        """
        unknown = set(values) - set(self.ranges)
        if unknown:
            raise FaceReconError(f"{self.name} has no {min(unknown)!r}: it has {', '.join(self.ranges) or 'no arguments'}.")
        values = {**self.draw(rng), **values}
        unit = max(image.shape[:2]) / 256
        values |= {key: values[key] * unit for key in self.lengths}
        return self.function(image, **values, **({"rng": rng} if self.seeded else {}))


def names() -> tuple[str, ...]:
    """All degradations that can be used here; ``video`` needs PyAV."""
    return tuple(name for name in DEGRADATIONS if name != "video" or compression.video_available())


def _draw(bounds: Range, rng: np.random.Generator, strength: float | None) -> Any:
    if isinstance(bounds[0], str):
        return str(rng.choice(bounds))
    low, high = bounds
    place = rng.random() if strength is None else float(np.clip(strength, 0, 1))
    value = low + (high - low) * place
    return round(value) if isinstance(low, int) and isinstance(high, int) else float(value)


def _twice(codec: Callable[[Image, int], Image], image: Image, first: int, second: int) -> Image:
    """Compressed, shifted against the block grid as by a crop, compressed again."""
    once = np.roll(codec(image, first), (3, 5), (0, 1))
    return np.roll(codec(once, second), (-3, -5), (0, 1))


# Ranges run from barely visible to severe, so that ``strength`` reads alike everywhere.
_ALL = (
    Degradation("gaussian_blur", "soft lens or focus", blur.gaussian_blur, {"sigma": (0.3, 4.5)}, ("sigma",)),
    Degradation(
        "anisotropic_blur", "astigmatic or partly moving lens", blur.anisotropic_blur,
        {"sigma_x": (0.3, 4.5), "sigma_y": (0.2, 2.0), "angle": (0.0, 180.0)}, ("sigma_x", "sigma_y"),
    ),
    Degradation("motion_blur", "camera shake", blur.motion_blur, {"length": (1.0, 14.0), "angle": (0.0, 180.0)}, ("length",)),
    Degradation("defocus_blur", "lens out of focus", blur.defocus_blur, {"radius": (0.5, 6.0)}, ("radius",)),
    Degradation(
        "resample", "a small copy enlarged again", resampling.resample,
        {"factor": (1.2, 10.0), "down": tuple(resampling.KERNELS), "up": ("nearest", "bilinear", "bicubic", "lanczos")},
        ("factor",),
    ),
    Degradation("sensor_noise", "read noise of a sensor", noise.sensor_noise, {"sigma": (1.0, 20.0)}, seeded=True),
    Degradation("shot_noise", "too little light", noise.shot_noise, {"photons": (900.0, 25.0)}, seeded=True),
    Degradation(
        "film_grain", "silver film", noise.film_grain, {"sigma": (2.0, 18.0), "size": (0.4, 1.2)}, ("size",), seeded=True
    ),
    Degradation("jpeg", "JPEG", compression.jpeg, {"quality": (92, 18)}),
    Degradation("webp", "lossy WebP", compression.webp, {"quality": (90, 8)}),
    Degradation(
        "jpeg_twice", "saved, cropped, saved again", partial(_twice, compression.jpeg), {"first": (90, 25), "second": (92, 35)}
    ),
    Degradation(
        "webp_twice", "saved as WebP, cropped, saved again", partial(_twice, compression.webp), {"first": (85, 15), "second": (88, 25)}
    ),
    Degradation(
        "video", "a frame of an H.264 video (needs PyAV)", compression.video,
        {"crf": (24, 42), "frames": (2, 4), "shift": (0.0, 3.0), "angle": (0.0, 360.0)}, ("shift",),
    ),
    Degradation("monochrome", "black and white film", prints.monochrome, {}),
    Degradation("sepia", "toned print", prints.sepia, {}),
    Degradation("fade", "decades of light", prints.fade, {"strength": (0.1, 0.7)}),
    Degradation("scratches", "scratched print or film", prints.scratches, {"count": (1, 12)}, seeded=True),
    Degradation("stains", "damp", prints.stains, {"count": (1, 5), "strength": (0.2, 0.9)}, seeded=True),
    Degradation("halftone", "newspaper", prints.halftone, {"pitch": (2.2, 6.0), "angle": (0.0, 90.0)}, ("pitch",)),
)  # fmt: skip
DEGRADATIONS = {degradation.name: degradation for degradation in _ALL}
