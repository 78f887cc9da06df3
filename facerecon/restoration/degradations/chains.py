"""Degradations one after the other: ways that photos really take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facerecon.restoration.degradations.registry import DEGRADATIONS, names
from facerecon.types import FaceReconError, Image


@dataclass(frozen=True)
class Applied:
    """A degradation that was applied: all that is needed to apply it again, as plain values.

    Attributes:
        name: key in ``DEGRADATIONS``.
        values: its arguments.
        seed: of the generator that drew what the arguments do not say, such as the noise.
    """

    name: str
    values: dict[str, Any]
    seed: int


@dataclass(frozen=True)
class Step:
    """One link of a chain.

    Attributes:
        name: key in ``DEGRADATIONS``.
        share: how often it happens, in [0, 1].
        strength: ``(low, high)``, both in [0, 1]: which part of the degradation's ranges is drawn from.
        values: arguments that are fixed.
    """

    name: str
    share: float = 1.0
    strength: tuple[float, float] = (0.0, 1.0)
    values: dict[str, Any] = field(default_factory=dict)


class Chain:
    """Steps in order; the same seed gives the same pixels.

    Args:
        steps: what happens, first to last. Those that cannot run here (``video`` without PyAV) are passed over.

    Raises:
        FaceReconError: a step names no degradation.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        unknown = [step.name for step in steps if step.name not in DEGRADATIONS]
        if unknown:
            raise FaceReconError(f"There is no degradation called {unknown[0]!r}: use {', '.join(DEGRADATIONS)}.")
        self.steps = tuple(steps)

    def draw(self, seed: int) -> list[Applied]:
        """What happens for a seed, before it does."""
        rng, usable, drawn = np.random.default_rng(seed), set(names()), []
        for step in self.steps:
            happens, strength, own = rng.random() < step.share, rng.uniform(*step.strength), int(rng.integers(2**31))
            if happens and step.name in usable:
                values = {**DEGRADATIONS[step.name].draw(np.random.default_rng(own), strength), **step.values}
                drawn.append(Applied(step.name, values, own))
        return drawn

    def __call__(self, image: Image, seed: int) -> tuple[Image, list[Applied]]:
        """The degraded image and what was done to it, for :func:`replay`."""
        drawn = self.draw(seed)
        return replay(image, drawn), drawn


def replay(image: Image, applied: Iterable[Applied]) -> Image:
    """Does again what was done to another image, or to the same."""
    for done in applied:
        image = DEGRADATIONS[done.name].apply(image, np.random.default_rng(done.seed), **done.values)
    return image


CHAINS = {
    "old_print": Chain(
        [
            Step("gaussian_blur", 0.8, (0.0, 0.3)), Step("monochrome", 0.6), Step("sepia", 0.5), Step("fade", 0.9),
            Step("film_grain", 0.9, (0.0, 0.8)), Step("stains", 0.4), Step("scratches", 0.8), Step("jpeg", 1.0, (0.0, 0.5)),
        ]
    ),
    "newspaper": Chain(
        [
            Step("gaussian_blur", 1.0, (0.0, 0.15)), Step("monochrome"), Step("halftone", 1.0, (0.0, 0.5)),
            Step("gaussian_blur", 1.0, (0.05, 0.2)), Step("fade", 0.5, (0.0, 0.4)), Step("jpeg", 1.0, (0.0, 0.5)),
        ]
    ),
    "messenger": Chain(
        [
            Step("motion_blur", 0.3, (0.0, 0.3)), Step("resample", 1.0, (0.0, 0.35), {"down": "area", "up": "bicubic"}),
            Step("sensor_noise", 0.6, (0.0, 0.3)), Step("jpeg_twice", 0.7, (0.3, 0.8)), Step("webp_twice", 0.3, (0.3, 0.8)),
        ]
    ),
    "video_call": Chain(
        [
            Step("defocus_blur", 0.5, (0.0, 0.3)), Step("shot_noise", 0.7, (0.3, 0.9)),
            Step("resample", 1.0, (0.1, 0.4), {"down": "area", "up": "bilinear"}), Step("video", 1.0, (0.3, 1.0)),
        ]
    ),
    "surveillance": Chain(
        [
            Step("motion_blur", 0.5, (0.0, 0.5)), Step("defocus_blur", 0.6, (0.0, 0.4)), Step("shot_noise", 1.0, (0.4, 1.0)),
            Step("resample", 1.0, (0.3, 0.9), {"down": "area", "up": "bicubic"}), Step("video", 0.8, (0.3, 1.0)),
            Step("jpeg", 1.0, (0.2, 0.8)),
        ]
    ),
}  # fmt: skip
