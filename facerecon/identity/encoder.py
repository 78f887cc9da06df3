"""Who is in a photo, as a vector: faces of one person point the same way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.checkpoints import find_checkpoint
from facerecon.devices import fast_dtype, resolve_device, to_fast
from facerecon.faces.align import crop_face, resize
from facerecon.identity.network import IdentityNetwork, fused
from facerecon.identity.storage import load_network
from facerecon.types import Face, FaceReconError, Image

TEMPLATE = "identity"
BATCH = 64


class IdentityEncoder:
    """Embeds aligned faces.

    Args:
        network: in evaluation mode.
        device: where it runs.
        dtype: number type of the network; the fastest of the device by default.
    """

    def __init__(self, network: IdentityNetwork, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> None:
        self.device = torch.device(device)
        self.dtype = dtype or fast_dtype(self.device)
        network = fused(network.eval()).requires_grad_(False)
        self.network = to_fast(network, self.device, self.dtype)
        for part in (self.network.norm, getattr(self.network, "gradient_project", None)):
            if part is not None:
                part.float()  # cheap, and worth its digits
        self.size = network.config.image_size

    @classmethod
    def from_pretrained(cls, device: str = "auto", revision: str | None = None) -> IdentityEncoder:
        """The shipped embedding.

        Raises:
            CheckpointError: there is no checkpoint, or it does not fit.
        """
        return cls(load_network(find_checkpoint(TEMPLATE, revision)), resolve_device(device))

    def embed(self, images: Image | Sequence[Image]) -> np.ndarray:
        """Embeddings of aligned crops, the mean of each and its mirror image.

        Args:
            images: one crop of the ``"identity"`` template or several, (S, S, 3) uint8, any S.

        Returns:
            (n, d) float32 of unit length; (0, d) for an empty list.

        Raises:
            FaceReconError: something that is no square RGB uint8 picture.
        """
        crops = [images] if isinstance(images, np.ndarray) and images.ndim == 3 else list(images)
        for crop in crops:
            _check(crop)
        parts = [self._embed(crops[i : i + BATCH]) for i in range(0, len(crops), BATCH)]
        return np.concatenate([np.zeros((0, self.network.config.length), np.float32), *parts])

    def embed_faces(self, image: Image, faces: Sequence[Face]) -> np.ndarray:
        """(n, d) embeddings of faces found in a photo, in their order."""
        return self.embed([self.crop(image, face) for face in faces])

    def crop(self, image: Image, face: Face) -> Image:
        """The (S, S, 3) crop of a face in a photo that :meth:`embed` takes."""
        return crop_face(image, face.points, self.size, TEMPLATE)[0]

    def features(self, crops: Tensor) -> list[Tensor]:
        """Maps of the network at 1/4, 1/8 and 1/16 of the side, differentiable in the crops.

        A perceptual loss compares those of two crops; :meth:`differentiable_embedding` serves an identity loss.

        Args:
            crops: (B, 3, S, S) in [0, 1], S a multiple of 16.
        """
        return self.network.features(self._input(crops))

    def differentiable_embedding(self, crops: Tensor) -> Tensor:
        """(B, d) float32 of unit length, differentiable in crops (B, 3, S, S) in [0, 1] of the ``"identity"`` template."""
        if crops.shape[-1] != self.size:
            crops = F.interpolate(crops, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False)
        return F.normalize(self.network(self._input(crops)), dim=1)

    def _input(self, crops: Tensor) -> Tensor:
        return crops.to(self.device, torch.float32, memory_format=torch.channels_last)

    @torch.inference_mode()
    def _embed(self, crops: list[Image]) -> np.ndarray:
        batch = torch.from_numpy(np.stack([resize(crop, self.size) for crop in crops])).to(self.device).permute(0, 3, 1, 2).float() / 255
        both = self.network(self._input(torch.cat((batch, batch.flip(3)))))
        return F.normalize(F.normalize(both, dim=1).unflatten(0, (2, -1)).sum(0), dim=1).cpu().numpy()


def similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosines of embeddings (n, d) and (n, d), (n,) in [-1, 1]; how alike two people are."""
    return np.einsum("nd,nd->n", first, second)


def _check(crop: Image) -> None:
    shape = np.shape(crop)
    if len(shape) != 3 or shape[2] != 3 or shape[0] != shape[1] or shape[0] == 0 or crop.dtype != np.uint8:
        raise FaceReconError(f"An embedding wants square RGB pictures of 8 bits; this one has shape {shape} and type {getattr(crop, 'dtype', type(crop).__name__)}.")
