"""Whether a mouth is open.

Sixty-eight points say little of that: between full, pale or dark lips that touch, a network of points sees a gap as wide as
many a smile has. What lies between the lips, teeth, a dark mouth or nothing, tells at a glance, so that a small network of its own
looks there, and landmarks of a mouth that it finds shut are brought together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from facerecon.checkpoints import find_optional, load_network
from facerecon.devices import resolve_device
from facerecon.faces.align import warp
from facerecon.types import Image

NAME = "mouth"
LIP_PAIRS = ((61, 67), (62, 66), (63, 65))
"""Inner edges of the upper lip and of the lower one below, iBUG points."""
SHUT_GAP = 0.002
"""Their distance in a shut mouth, in distances of the outer eye corners."""
LINE = 0.25
"""Where lips that touch meet: so far on the way from the point above to the one below, where a gap was seen."""
SHUT, OPEN = 0.35, 0.65
"""Chances up to which a mouth counts as shut, and from which on as open."""
_BREADTH, _NARROWEST = 1.25, 0.35  # side of the crop, mouths; breadth of the narrowest mouth, distances of the outer eye corners
_CONTRAST = 0.03  # added to a crop's deviation, so that noise alone does not become a picture


@dataclass(frozen=True)
class MouthConfig:
    """Size of the network: side of the crop in pixels, a multiple of 8; channels; width of the hidden layer."""

    image_size: int = 48
    channels: tuple[int, int, int, int] = (16, 32, 48, 48)
    hidden: int = 32


class MouthNetwork(nn.Module):
    """Crops of mouths to the logit of being open."""

    def __init__(self, config: MouthConfig = MouthConfig()) -> None:
        super().__init__()
        self.config = config
        widths, cells = (3, *config.channels), (config.image_size // 8) ** 2
        strides = (2, 2, 2, 1)
        layers = [part for a, b, s in zip(widths, widths[1:], strides) for part in (nn.Conv2d(a, b, 3, s, 1), nn.ReLU())]
        self.maps = nn.Sequential(*layers, nn.Dropout(0.2), nn.Flatten())
        self.read = nn.Sequential(nn.Linear(widths[-1] * cells, config.hidden), nn.LeakyReLU(0.1), nn.Linear(config.hidden, 1))

    def forward(self, crops: Tensor) -> Tensor:
        """(B, 3, S, S) in [0, 1], of any light and contrast, to (B,)."""
        mean = crops.mean((2, 3), keepdim=True)
        contrast = crops.std((2, 3), keepdim=True).mean(1, keepdim=True) + _CONTRAST
        return self.read(self.maps((crops - mean) / contrast))[:, 0].float()


class MouthReader:
    """Says how likely mouths are open, and shuts landmarks of those that are not.

    Args:
        network: in evaluation mode.
        device: where it runs; in float32, as it costs nothing.
    """

    def __init__(self, network: MouthNetwork, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.network = network.eval().requires_grad_(False).to(self.device)
        self.size = network.config.image_size

    @classmethod
    def from_pretrained(cls, device: str = "auto", path: str | Path | None = None) -> MouthReader:
        """The shipped network, or another file of its kind.

        Raises:
            CheckpointError: there is no checkpoint, or it does not fit.
        """
        return cls(load_network(NAME, lambda values: MouthNetwork(MouthConfig(**values)), path), resolve_device(device))

    @classmethod
    def shipped(cls, device: str = "auto") -> MouthReader | None:
        """The shipped network, or None where there are no weights."""
        path = find_optional(NAME)
        return None if path is None else cls.from_pretrained(device, path)

    def open_chance(self, images: Sequence[Image], landmarks: np.ndarray) -> np.ndarray:
        """(n,) in [0, 1]: how likely each mouth is open, the mean of a look and a mirrored one.

        Args:
            images: one photo (H, W, 3) uint8 a face.
            landmarks: (n, 68, 2) pixels; eye and mouth corners and the outer lips count.
        """
        if not len(landmarks):
            return np.zeros(0, np.float32)
        return self.see(np.stack([cut_mouth(image, points, self.size) for image, points in zip(images, landmarks)]))

    @torch.inference_mode()
    def see(self, crops: np.ndarray) -> np.ndarray:
        """The same of crops (n, S, S, 3) uint8 that are cut already."""
        batch = torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2).float() / 255
        both = self.network(torch.cat((batch, batch.flip(3)))).sigmoid()
        return both.unflatten(0, (2, -1)).mean(0).cpu().numpy()

    def settle(self, images: Sequence[Image], landmarks: np.ndarray) -> np.ndarray:
        """Landmarks (n, 68, 2) with the lips of shut mouths together; those between shut and open part by part."""
        return shut_lips(landmarks, self.open_chance(images, landmarks))


def mouth_matrix(landmarks: np.ndarray, size: int) -> np.ndarray:
    """(2, 3) float64: pixels of the photo to those of the crop, its mouth level and in the middle; inner lips count for nothing."""
    left, right = np.asarray(landmarks[48], np.float64), np.asarray(landmarks[54], np.float64)
    breadth = max(np.linalg.norm(right - left), _NARROWEST * np.linalg.norm(landmarks[36] - landmarks[45]), 1e-6)
    across = (right - left) / max(np.linalg.norm(right - left), 1e-6)
    down = np.array([-across[1], across[0]])
    corners, lips = (left + right) / 2, (landmarks[51] + landmarks[57]) / 2
    middle = corners + down * ((lips - corners) @ down)
    turn = np.stack((across, down)) * (size / (_BREADTH * breadth))
    return np.concatenate((turn, ((size - 1) / 2 - turn @ middle)[:, None]), axis=1)


def cut_mouth(image: Image, landmarks: np.ndarray, size: int) -> Image:
    """The (S, S, 3) crop of a mouth."""
    return warp(image, mouth_matrix(landmarks, size), size, cv2.BORDER_REPLICATE)


def lip_gap(landmarks: np.ndarray) -> np.ndarray:
    """Mean distance (...,) of the inner lips of landmarks (..., 68, 2), in distances of the outer eye corners."""
    eyes = np.linalg.norm(landmarks[..., 36, :] - landmarks[..., 45, :], axis=-1)
    gaps = [np.linalg.norm(landmarks[..., upper, :] - landmarks[..., lower, :], axis=-1) for upper, lower in LIP_PAIRS]
    return np.mean(gaps, axis=0) / np.maximum(eyes, 1e-6)


def shut_lips(landmarks: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Landmarks (n, 68, 2) whose inner lips meet as far as the mouth is not open, ``chance`` (n,) in [0, 1]."""
    landmarks = np.array(landmarks)
    share = np.clip((np.asarray(chance) - SHUT) / (OPEN - SHUT), 0, 1)[:, None]
    least = SHUT_GAP * np.linalg.norm(landmarks[:, 36] - landmarks[:, 45], axis=1, keepdims=True)
    for upper, lower in LIP_PAIRS:
        above, below = landmarks[:, upper], landmarks[:, lower]
        apart = below - above
        gap = np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-6)
        left = np.minimum(gap, least + share * np.maximum(gap - least, 0)) / gap  # of the gap
        landmarks[:, upper], landmarks[:, lower] = above + apart * LINE * (1 - left), below - apart * (1 - LINE) * (1 - left)
    return landmarks
