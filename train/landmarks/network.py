"""A plain network for 68 landmarks, used to label training photos that have none."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facerecon.reconstruction.trunk import ResidualTrunk, TrunkConfig

# Where each iBUG landmark goes when the photo is mirrored.
MIRROR_68 = torch.tensor(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)


class LandmarkNetwork(nn.Module):
    """Crop (B, 3, S, S) in [0, 1] to landmarks (B, 68, 2), float32, in crop sides from the crop's centre."""

    def __init__(self, config: TrunkConfig = TrunkConfig()) -> None:
        super().__init__()
        self.trunk = ResidualTrunk(config)
        self.head = nn.Linear(config.features, 136)
        nn.init.normal_(self.head.weight, std=0.01)

    def forward(self, crops: Tensor) -> Tensor:
        return self.head(self.trunk(crops)).float().unflatten(1, (68, 2))
