"""The mean skin, hair, eyes and mouth that complete what a photo does not show."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from facerecon.faces.align import resize
from facerecon.types import FaceReconError

SHIPPED = Path(__file__).resolve().parents[2] / "weights" / "appearance" / "appearance.safetensors"
FORMAT = "facerecon-appearance-1"
_QUALITY = {"colour": 92, "layers": 80, "eyes": 90}


class AppearanceError(FaceReconError):
    """The mean skin's file is missing or fits another head."""


@dataclass(frozen=True)
class Appearance:
    """Pictures in the head's texture layout, (S, S) or (S, S, C) float32.

    Attributes:
        lab: CIE Lab of a mean skin without hair, of eyeballs without iris, and of the mouth's inside.
        hair_growth: [0, 1], where hair usually grows.
        strands: brightness of hair strands, mean 0, deviation about 1.
        pores: brightness of fine skin, mean 0, deviation about 1.
        iris_pattern: brightness within the iris, mean 0, deviation about 1.
        iris, pupil: [0, 1], what they cover of the eyeballs.
    """

    lab: np.ndarray
    hair_growth: np.ndarray
    strands: np.ndarray
    pores: np.ndarray
    iris_pattern: np.ndarray
    iris: np.ndarray
    pupil: np.ndarray
    _broad: dict[tuple, np.ndarray] = field(default_factory=dict, init=False, repr=False, compare=False)

    def broad(self, rows: slice, columns: slice, sigma: float) -> np.ndarray:
        """The colours of a part without patterns finer than ``sigma`` texels: (R, C, 3), worked out once."""
        key = (rows.start, rows.stop, columns.start, columns.stop, sigma)
        if key not in self._broad:
            self._broad[key] = cv2.GaussianBlur(self.lab[rows, columns], (0, 0), sigma)
        return self._broad[key]


def write(path: Path, pictures: dict[str, np.ndarray], uv_count: int) -> None:
    """Writes the asset: ``colour``, ``layers``, ``eyes``, (S, S, 3) uint8 each.

    ``uv_count`` UV vertices name the layout it fits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = {}
    for name, picture in pictures.items():
        swapped = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        encoded[name] = cv2.imencode(".webp", swapped, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY[name]])[1].ravel()
    save_file(encoded, str(path), metadata={"format": FORMAT, "uv_count": str(uv_count)})


@lru_cache(maxsize=4)
def load_appearance(size: int, uv_count: int, path: Path = SHIPPED) -> Appearance:
    """The shipped appearance at a texture size.

    Args:
        uv_count: UV vertices of the head it shall fit.

    Raises:
        AppearanceError: the file is missing, damaged or of another layout.
    """
    try:
        with safe_open(str(path), framework="np") as file:
            metadata = file.metadata() or {}
            pictures = {name: _decode(file.get_tensor(name), size) for name in file.keys()}
    except (OSError, SafetensorError, cv2.error) as error:
        raise AppearanceError(f"The mean skin {path} cannot be read: {error}.") from error
    if metadata.get("format") != FORMAT or metadata.get("uv_count") != str(uv_count):
        raise AppearanceError(f"The mean skin {path} is not of this head's texture layout: run train.appearance.build.")
    layers, eyes = pictures["layers"], pictures["eyes"]
    return Appearance(
        lab=cv2.cvtColor(pictures["colour"], cv2.COLOR_RGB2LAB),
        hair_growth=np.ascontiguousarray(layers[..., 0]),
        strands=(layers[..., 1] - 0.5) * 8,
        pores=(layers[..., 2] - 0.5) * 8,
        iris_pattern=(eyes[..., 0] - 0.5) * 8,
        iris=np.ascontiguousarray(eyes[..., 1]),
        pupil=np.ascontiguousarray(eyes[..., 2]),
    )


def _decode(data: np.ndarray, size: int) -> np.ndarray:
    picture = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return resize(picture, size).astype(np.float32) / 255
