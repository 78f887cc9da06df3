"""What time, lenses, networks and hands do to photos of faces: named, seeded, reusable.

Every function takes and gives an ``(H, W, 3)`` uint8 RGB image and keeps its size
(:func:`shrink` and :func:`enlarge` aside, which are a pair). Randomness comes only from
the ``numpy.random.Generator`` handed in. Three ways in:

- the functions by themselves, with exact numbers: ``motion_blur(image, length=9, angle=30)``;
- the registry: ``DEGRADATIONS["motion_blur"].apply(image, rng)`` draws the numbers from
  documented ranges and ``names()`` lists what there is;
- chains: ``degrade(image, "heavy", rng)``, the four levels that training uses, and
  ``CHAINS["newspaper"](image, seed)``, ways that photos really take, which also tell what was drawn.

Lengths are in pixels of a 256-pixel crop wherever the registry or a chain draws them, so
that a 512-pixel photo is degraded alike.
"""

from __future__ import annotations

from facerecon.restoration.degradations.blur import anisotropic_blur, defocus_blur, gaussian_blur, motion_blur
from facerecon.restoration.degradations.chains import CHAINS, Applied, Chain, Step, replay
from facerecon.restoration.degradations.compression import jpeg, video, video_available, webp
from facerecon.restoration.degradations.levels import LEVEL_SHARES, LEVELS, PLAIN_LEVELS, DegradationLevel, degrade, random_level
from facerecon.restoration.degradations.noise import film_grain, sensor_noise, shot_noise
from facerecon.restoration.degradations.prints import fade, halftone, monochrome, old_photo, scratches, sepia, stains
from facerecon.restoration.degradations.registry import DEGRADATIONS, Degradation, names
from facerecon.restoration.degradations.resampling import KERNELS, RESIZE_KERNELS, enlarge, resample, shrink

__all__ = [
    "CHAINS",
    "DEGRADATIONS",
    "KERNELS",
    "LEVELS",
    "LEVEL_SHARES",
    "PLAIN_LEVELS",
    "RESIZE_KERNELS",
    "Applied",
    "Chain",
    "Degradation",
    "DegradationLevel",
    "Step",
    "anisotropic_blur",
    "defocus_blur",
    "degrade",
    "enlarge",
    "fade",
    "film_grain",
    "gaussian_blur",
    "halftone",
    "jpeg",
    "monochrome",
    "motion_blur",
    "names",
    "old_photo",
    "random_level",
    "replay",
    "resample",
    "scratches",
    "sensor_noise",
    "sepia",
    "shot_noise",
    "shrink",
    "stains",
    "video",
    "video_available",
    "webp",
]
