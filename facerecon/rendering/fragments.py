"""What a rasteriser leaves: which triangle each pixel sees, and where in it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Fragments:
    """The visible surface of a batch of meshes.

    Attributes:
        face_index: (B, H, W) int64, row of ``faces``; -1 where the pixel is empty.
        barycentric: (B, H, W, 3) float32, perspective-correct weights of the
            triangle's corners; zero where the pixel is empty.
    """

    face_index: Tensor
    barycentric: Tensor

    @property
    def mask(self) -> Tensor:
        """(B, H, W) bool, True where a surface is seen."""
        return self.face_index >= 0
