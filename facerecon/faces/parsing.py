"""What each pixel around a face shows: skin, features, hair, neck, background, or something else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from facerecon.checkpoints import find_optional, load_network
from facerecon.devices import fast_dtype, resolve_device, to_fast
from facerecon.faces.align import mirror_matrix, similarity_from_points, warp
from facerecon.faces.masks import CLASSES, FaceMasks
from facerecon.faces.parsing_network import ParserConfig, ParserNetwork
from facerecon.types import Face, FaceReconError, Image

NAME = "parsing"
TEMPLATE = "reconstruction"
BATCH = 64


class FaceParser:
    """Tells the parts of faces whose place is known.

    Args:
        network: in evaluation mode.
        device: where it runs.
        dtype: number type of the network; the fastest of the device by default.
    """

    def __init__(self, network: ParserNetwork, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> None:
        self.device = torch.device(device)
        self.dtype = dtype or fast_dtype(self.device)
        network = network.eval().requires_grad_(False)
        self.network = to_fast(network, self.device, self.dtype)
        self.size = network.config.image_size

    @classmethod
    def from_pretrained(cls, device: str = "auto", path: str | Path | None = None) -> FaceParser:
        """The shipped network, or another file of its kind.

        Raises:
            CheckpointError: there is no checkpoint, or it does not fit.
        """
        return cls(load_network(NAME, _build, path), resolve_device(device))

    @classmethod
    def shipped(cls, device: str = "auto") -> FaceParser | None:
        """The shipped network, or None where there are no weights."""
        path = find_optional(NAME)
        return None if path is None else cls.from_pretrained(device, path)

    def predict(self, images: Image | Sequence[Image], faces: Sequence[Face | np.ndarray], mirrored: bool = False) -> list[FaceMasks]:
        """Masks of faces.

        Args:
            images: the photo that all the faces are in, or one photo a face; (H, W, 3) uint8.
            faces: each a ``Face`` or its five points (5, 2).
            mirrored: take the mean with the mirrored crop: twice the time, a little better.

        Raises:
            FaceReconError: fewer or more photos than faces.
        """
        photos = [images] * len(faces) if isinstance(images, np.ndarray) else list(images)
        if len(photos) != len(faces):
            raise FaceReconError(f"There are {len(photos)} photos for {len(faces)} faces.")
        points = [face.points if isinstance(face, Face) else face for face in faces]
        matrices = [similarity_from_points(p, self.size, TEMPLATE) for p in points]
        seen = self._look(photos, matrices)
        if mirrored:
            flipped = self._look(photos, [mirror_matrix(matrix, self.size) for matrix in matrices])
            seen = (seen + flipped[..., ::-1]) / 2
        return [FaceMasks(probabilities, matrix) for probabilities, matrix in zip(seen, matrices)]

    def _look(self, photos: list[Image], matrices: list[np.ndarray]) -> np.ndarray:
        crops = [warp(photo, matrix, self.size, cv2.BORDER_REPLICATE) for photo, matrix in zip(photos, matrices)]
        parts = [self.see(np.stack(crops[i : i + BATCH])) for i in range(0, len(crops), BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, len(CLASSES), self.size, self.size), np.float32)

    @torch.inference_mode()
    def see(self, crops: np.ndarray) -> np.ndarray:
        """Probabilities (B, 6, S, S) float32 of crops (B, S, S, 3) uint8 that are cut already."""
        batch = torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2).to(self.dtype) / 255
        logits = self.network(batch.contiguous(memory_format=torch.channels_last))
        return logits.softmax(1).cpu().numpy()


def _build(config: dict) -> ParserNetwork:
    return ParserNetwork(ParserConfig(**config))
