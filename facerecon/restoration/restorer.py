"""Restores aligned crops of faces with the shipped network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from facerecon.checkpoints import load_network
from facerecon.devices import resolve_device, to_fast
from facerecon.faces.align import resize
from facerecon.faces.detail import kept_detail
from facerecon.restoration.background import clean_photo
from facerecon.restoration.cleaner import shrink
from facerecon.restoration.codeformer import CodeFormer
from facerecon.restoration.colour import keep_colour, tone, toning
from facerecon.restoration.conditioning import condition_vector
from facerecon.restoration.configuration import RestorationConfig
from facerecon.restoration.texture import TextureSynthesis
from facerecon.types import Demographics, FaceReconError, Image

BATCH = 8
# Change of a small picture of the face, root mean square in grey levels: up to here it counts as good, from there on as bad.
_GOOD, _BAD = 2.0, 4.0
LARGEST = 512  # side up to which the cleaner sees a crop at its own size, pixels


class FaceRestorer:
    """Degraded crops in, restored crops out.

    Args:
        network: the restoration network, on its device and in its dtype.
        texture: what draws pores and hairs below fidelity 1; None for faces without.
    """

    def __init__(self, network: CodeFormer, texture: TextureSynthesis | None = None) -> None:
        self.network, self.texture = network.eval(), texture
        parameter = next(network.parameters())
        self.device = parameter.device

    @classmethod
    def from_pretrained(cls, device: str = "auto", path: Path | None = None) -> FaceRestorer:
        """Loads ``weights/restoration``, and ``weights/texture`` where there is one; or a safetensors file, alone.

        Raises:
            FaceReconError: no checkpoint was found, or it does not fit.
        """
        where = resolve_device(device)
        network = load_network("restoration", lambda values: CodeFormer(RestorationConfig.from_dict(values)), path)
        network = to_fast(network, where)
        network.codebook.float()
        return cls(network, None if path else TextureSynthesis.shipped(device))

    @property
    def size(self) -> int:
        """Side of the crops the network was trained on, pixels."""
        return self.network.config.image_size

    def restore(
        self, crops: list[Image], fidelity: float = 0.7, people: Sequence[Demographics | None] | None = None
    ) -> list[Image]:
        """Restores crops of the ``"restoration"`` template.

        The cleaner sees crops as they are, the codes see them at the size of their training. What is
        changed at another size is enlarged and added to the crop, whose finer detail stays wherever
        the finest that was seen is kept. Slowly varying colour follows the crop, and a monochrome or
        toned one stays so. Down to fidelity 0.5 more and more texture is drawn.

        Args:
            crops: square (S, S, 3) uint8 images of any sizes.
            fidelity: 0 generates from codes alone, 1 keeps to the pixels.
            people: for each crop what guides the codes, or None.

        Returns:
            Restored crops of the same sizes.

        Raises:
            FaceReconError: fidelity is outside [0, 1].
        """
        if not 0.0 <= fidelity <= 1.0:
            raise FaceReconError(f"Fidelity is between 0 and 1; {fidelity} is not.")
        tones = [toning(crop) for crop in crops]
        restored = self._restored(crops, fidelity, people)
        restored = [keep_colour(crop, image, fidelity) for crop, image in zip(crops, restored)]
        if self.texture is not None and fidelity < 1:
            restored = [self.texture.add(image, min(2 * (1 - fidelity), 1.0)) for image in restored]
        return [image if t is None else tone(image, t) for image, t in zip(restored, tones)]

    def clean(self, photo: Image) -> Image:
        """A whole photo (H, W, 3) through the cleaner, whatever it shows."""
        cleaner = self.network.cleaner
        cleaned = clean_photo(photo, cleaner, cleaner.stride, self.device)
        tones = toning(photo)
        return cleaned if tones is None else tone(cleaned, tones)

    def _restored(self, crops: list[Image], fidelity: float, people: Sequence[Demographics | None] | None) -> list[Image]:
        cleaned = self._cleaned(crops)
        return cleaned if fidelity == 1 else self._generated(cleaned, fidelity, people)

    def _cleaned(self, crops: list[Image]) -> list[Image]:
        """Crops through the cleaner, those up to ``LARGEST`` pixels at their own size.

        Seen twice, the second time mirrored, and averaged: the self-ensemble of Lim et al. (EDSR, CVPRW 2017). Where little
        is to be mended, a guess from a smaller size says less than the crop: two looks without one count as much there.
        """
        cleaner = self.network.cleaner

        def clean(batch: Tensor, _: list[int]) -> Tensor:
            cleaned = (cleaner.coarse_to_fine(batch) + cleaner.coarse_to_fine(batch.flip(3)).flip(3)) / 2
            change = shrink(cleaned - batch, cleaner.coarse.size).square().mean((1, 2, 3), keepdim=True).sqrt() * 255
            good = ((_BAD - change) / (_BAD - _GOOD)).clamp(0, 1)
            if not good.any():
                return cleaned
            return torch.lerp(cleaned, (cleaner(batch) + cleaner(batch.flip(3)).flip(3)) / 2, good / 2)

        sides = [max(self.size, min(-(-len(crop) // cleaner.stride) * cleaner.stride, LARGEST)) for crop in crops]
        return _in_batches(crops, sides, clean, self.device)

    def _generated(self, cleaned: list[Image], fidelity: float, people: Sequence[Demographics | None] | None) -> list[Image]:
        """The cleaner's crops mixed with the faces that their codes stand for."""
        told = None if people is None else np.stack([condition_vector(person) for person in people])

        def generate(batch: Tensor, members: list[int]) -> Tensor:
            w = torch.full((len(batch), 1, 1, 1), float(fidelity), device=self.device)
            condition = None if told is None else torch.from_numpy(told[members]).to(self.device)
            return torch.lerp(self.network.generate(batch, w, condition), batch, w)

        return _in_batches(cleaned, [self.size] * len(cleaned), generate, self.device)


@torch.inference_mode()
def _in_batches(
    crops: list[Image], sides: list[int], network: Callable[[Tensor, list[int]], Tensor], device: torch.device
) -> list[Image]:
    """What ``network`` makes of each crop, with the numbers of a batch's crops, at the side it is to be seen at, brought
    back to the crop's own size."""
    restored: list[Image] = [np.empty(0)] * len(crops)
    for side in sorted(set(sides)):
        members = [i for i, s in enumerate(sides) if s == side]
        for start in range(0, len(members), BATCH):
            part = members[start : start + BATCH]
            seen = [resize(crops[i], side) for i in part]
            batch = torch.from_numpy(np.stack(seen)).to(device).permute(0, 3, 1, 2).float() / 255
            output = network(batch.contiguous(memory_format=torch.channels_last), part).clamp(0, 1)
            images = (output.permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy()
            for i, before, after in zip(part, seen, images):
                restored[i] = with_detail(crops[i], before, after)
    return restored


def with_detail(crop: Image, small: Image, restored: Image) -> Image:
    """The change that was made to a crop at another size, made to the crop itself: its own detail stays where it was kept."""
    side = crop.shape[0]
    if side == small.shape[0]:
        return restored
    if side < small.shape[0]:
        return resize(restored, side)
    grown, coarse = resize(restored, side).astype(np.float32), resize(small, side)
    kept = cv2.resize(kept_detail(small, restored), (side, side), interpolation=cv2.INTER_LINEAR)[..., None]
    return np.clip(grown + kept * (crop - coarse.astype(np.float32)), 0, 255).round().astype(np.uint8)
