"""A plain network for 68 landmarks, used to label training photos that have none."""

from __future__ import annotations

from torch import Tensor, nn

from facerecon.reconstruction.trunk import ResidualTrunk, TrunkConfig


class LandmarkNetwork(nn.Module):
    """Crop (B, 3, S, S) in [0, 1] to landmarks (B, 68, 2), float32, in crop sides from the crop's centre."""

    def __init__(self, config: TrunkConfig = TrunkConfig()) -> None:
        super().__init__()
        self.trunk = ResidualTrunk(config)
        self.head = nn.Linear(config.features, 136)
        nn.init.normal_(self.head.weight, std=0.01)

    def forward(self, crops: Tensor) -> Tensor:
        return self.head(self.trunk(crops)).float().unflatten(1, (68, 2))
