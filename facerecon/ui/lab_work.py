"""The degradation lab: damages a clean face in known ways, restores it, and measures both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from facerecon.faces.choose import choose_faces
from facerecon.metrics import psnr, ssim
from facerecon.pipeline import NoFaceError
from facerecon.restoration import degradations as d
from facerecon.types import Face, Image
from facerecon.ui.engine import Engine, Step

SIDE = 512  # pixels of the cut-out that is damaged
MARGIN = 2.0  # its side in widths of the face


@dataclass(frozen=True)
class Damage:
    """One kind of damage with one setting.

    Attributes:
        setting: what the slider says, with its unit.
        low, high, start, step: of the slider.
        apply: ``(image, value, rng) -> image``; lengths are pixels of a 256-pixel cut-out.
    """

    setting: str
    low: float
    high: float
    start: float
    step: float
    apply: Callable[[Image, float, np.random.Generator], Image]


def _unit(image: Image) -> float:
    return max(image.shape[:2]) / 256


def _small(image: Image, factor: float, rng: np.random.Generator) -> Image:
    return d.enlarge(d.shrink(image, factor * _unit(image)), *image.shape[:2])


def _old_print(image: Image, strength: float, rng: np.random.Generator) -> Image:
    faded = d.fade(d.sepia(image), strength)
    return d.scratches(d.sensor_noise(faded, 14 * strength, rng, grey=True), round(8 * strength), rng)


DAMAGES = {
    "Out of focus": Damage("Blur, px", 0, 6, 2.5, 0.1, lambda i, v, rng: d.gaussian_blur(i, v * _unit(i))),
    "Shaken": Damage("Length, px", 0, 24, 9, 0.5, lambda i, v, rng: d.motion_blur(i, v * _unit(i), 25)),
    "Too small": Damage("Factor", 1, 12, 5, 0.5, _small),
    "Noise": Damage("Grey levels", 0, 50, 18, 1, lambda i, v, rng: d.sensor_noise(i, v, rng)),
    "JPEG": Damage("Quality", 2, 95, 14, 1, lambda i, v, rng: d.jpeg(i, int(v))),
    "WebP": Damage("Quality", 1, 95, 8, 1, lambda i, v, rng: d.webp(i, int(v))),
    "Old print": Damage("Strength", 0, 1, 0.6, 0.05, _old_print),
    "Everything, light": Damage("Draw number", 1, 50, 1, 1, lambda i, v, rng: d.degrade(i, "light", rng)),
    "Everything, heavy": Damage("Draw number", 1, 50, 1, 1, lambda i, v, rng: d.degrade(i, "heavy", rng)),
}
FIRST_FOUR = ("Out of focus", "Too small", "Noise", "JPEG")


@dataclass(frozen=True)
class Trial:
    """One damage: ``degraded`` and ``restored`` images, and their likeness to the clean one."""

    name: str
    degraded: Image
    restored: Image
    psnr: tuple[float, float]
    ssim: tuple[float, float]


def cut_out(engine: Engine, photo: Image) -> tuple[Image, Face]:
    """The largest face with some of its surroundings, at most ``SIDE`` pixels wide, and where it is there.

    Raises:
        NoFaceError: the photo shows no face.
    """
    found = engine.look(photo).faces
    if not found:
        raise NoFaceError("No face was found in the photo.")
    _, face = choose_faces(found, "largest", photo.shape)[0]
    height, width = photo.shape[:2]
    side = min(round(MARGIN * face.size), height, width)
    middle = (face.box[:2] + face.box[2:]) / 2
    corner = np.clip(np.round(middle - side / 2), 0, (width - side, height - side)).astype(int)
    cut = photo[corner[1] : corner[1] + side, corner[0] : corner[0] + side]
    scale = min(1.0, SIDE / side)
    if scale < 1:
        cut = cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    box = (face.box.reshape(2, 2) - corner).reshape(4) * scale
    return cut, Face(box.astype(np.float32), ((face.points - corner) * scale).astype(np.float32), face.score)


def try_damages(
    engine: Engine, photo: Image, wanted: list[tuple[str, float]], fidelity: float
) -> Iterator[Step | Trial]:
    """For each ``(name, value)`` a step when it begins, with the share of all that is done, and then its trial.

    Raises:
        NoFaceError: the photo shows no face.
    """
    clean, face = cut_out(engine, photo)
    for number, (name, value) in enumerate(wanted):
        yield Step(name, None, number / len(wanted))
        degraded = _damage(clean, name, value)
        (restoration,) = engine.restore_known([degraded], face, fidelity)
        likeness = [(float(psnr(clean, image)), float(ssim(clean, image))) for image in (degraded, restoration.image)]
        yield Trial(name, degraded, restoration.image, *zip(*likeness))


def _damage(clean: Image, name: str, value: float) -> Image:
    damage = DAMAGES[name]
    value = float(np.clip(value, damage.low, damage.high))
    return damage.apply(clean, value, np.random.default_rng(int(value)))
