"""Building blocks that several networks share."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a skip that starts as the identity.

    No normalisation: the second convolution starts at zero instead (Zhang et al., "Fixup
    Initialization", ICLR 2019), so that photos and renders in one batch do not share statistics.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same, rectified."""
        return F.relu(x + self.second(F.relu(self.first(x))))
