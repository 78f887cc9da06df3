"""Sizes of the restoration network."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class RestorationConfig:
    """Shape of the codebook autoencoder, the code transformer and the feature transforms.

    Attributes:
        image_size: side of the square crop, pixels.
        patch: pixel-unshuffle factor at the door; the first level works at ``image_size / patch``.
        channels: channels of each level, each half the size of the one before.
        blocks: residual blocks a level.
        codebook_size: number of codes.
        code_dim: length of a code.
        transformer_dim: width of the code transformer.
        transformer_layers: its depth.
        transformer_heads: attention heads.
        cleaner_channels: of the levels of the faithful half, from the finest.
        cleaner_blocks: residual blocks of each of its levels, going down; the same going up, but for the coarsest.
        coarse_size: side at which a face is cleaned first, pixels.
        coarse_patch: pixel-unshuffle factor of the network that does.
        coarse_channels: of its levels.
        coarse_blocks: of its levels, as ``cleaner_blocks``.
    """

    image_size: int = 256
    patch: int = 4
    channels: tuple[int, ...] = (64, 128, 192)
    blocks: int = 2
    codebook_size: int = 512
    code_dim: int = 64
    transformer_dim: int = 192
    transformer_layers: int = 4
    transformer_heads: int = 6
    cleaner_channels: tuple[int, ...] = (64, 128, 160)
    cleaner_blocks: tuple[int, ...] = (2, 2, 5)
    coarse_size: int = 128
    coarse_patch: int = 2
    coarse_channels: tuple[int, ...] = (48, 96, 192)
    coarse_blocks: tuple[int, ...] = (1, 2, 5)

    @property
    def grid(self) -> int:
        """Side of the grid of codes."""
        return self.image_size // self.patch // 2 ** (len(self.channels) - 1)

    def to_dict(self) -> dict:
        """Plain values, for a checkpoint's metadata."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> RestorationConfig:
        """The inverse of :meth:`to_dict`; lists become tuples."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


CONFIGS = {
    "tiny": RestorationConfig(
        image_size=32, channels=(16, 16), blocks=1, codebook_size=16, code_dim=8,
        transformer_dim=16, transformer_layers=1, transformer_heads=2,
        cleaner_channels=(16, 16), cleaner_blocks=(1, 1), coarse_size=16, coarse_channels=(8, 16), coarse_blocks=(1, 1),
    ),
    "small": RestorationConfig(),
    "paper": RestorationConfig(
        image_size=512, patch=2, channels=(64, 128, 128, 256, 512), codebook_size=1024, code_dim=256,
        transformer_dim=512, transformer_layers=9, transformer_heads=8,
        cleaner_channels=(64, 128, 256, 512), cleaner_blocks=(4, 4, 4, 4),
        coarse_channels=(64, 128, 256, 512), coarse_blocks=(4, 4, 4, 4),
    ),
}
