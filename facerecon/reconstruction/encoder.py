"""One network from an aligned crop to everything that makes a head."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.reconstruction.camera import (
    FARTHEST_M,
    NEAREST_M,
    TYPICAL_SCALE,
    crop_points,
    rotation_from_6d,
    yaw_of,
)
from facerecon.reconstruction.trunk import ResidualTrunk, TrunkConfig

EVEN_LIGHT = math.sqrt(4 * math.pi)  # first coefficient of a light that shades every albedo by one


@dataclass(frozen=True)
class EncoderConfig:
    """Size of an encoder.

    Attributes:
        trunk: of the convolutions.
        identity: components of the head's identity basis that are predicted, the largest ones.
        expression: number of expressions.
        limit: identity coefficients stay within this many standard deviations.
    """

    trunk: TrunkConfig = field(default_factory=TrunkConfig)
    identity: int = 80
    expression: int = 52
    limit: float = 3.0

    def to_dict(self) -> dict:
        """As plain values, for a checkpoint's metadata."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> EncoderConfig:
        """Back from :meth:`to_dict`, lists or tuples."""
        trunk = {k: tuple(v) if isinstance(v, list) else v for k, v in values["trunk"].items()}
        return cls(**{**values, "trunk": TrunkConfig(**trunk)})


@dataclass
class HeadCode:
    """What the encoder says of a batch of crops, float32.

    Attributes:
        identity: (B, K) standard deviations.
        expression: (B, 52) in [0, 1].
        rotation: (B, 3, 3) head to the crop's camera.
        scale: (B,) crop sides per metre at the depth of the head's origin.
        center: (B, 2) where the origin is seen, crop sides from the crop's centre.
        inverse_distance: (B,) 1 / metres.
        lighting: (B, 9, 3) spherical harmonics, crop camera frame.
        age: (B,) years.
        gender: (B,) in [0, 1], 1 = male.
        ancestry: (B, 3) summing to one.
        logits: gender (B,) and ancestry (B, 3) before their squashing, for losses.
        features: (B, F) what all this was read from: the last hidden layer, then the cells of the last maps.
    """

    identity: Tensor
    expression: Tensor
    rotation: Tensor
    scale: Tensor
    center: Tensor
    inverse_distance: Tensor
    lighting: Tensor
    age: Tensor
    gender: Tensor
    ancestry: Tensor
    logits: dict[str, Tensor]
    features: Tensor

    def project(self, points: Tensor) -> Tensor:
        """Points (B, N, 3) of the head's frame in the crop: (B, N, 2) crop sides from its centre."""
        return crop_points(points, self.rotation, self.scale, self.center, self.inverse_distance)

    @property
    def yaw(self) -> Tensor:
        """(B,) radians."""
        return yaw_of(self.rotation)


class HeadEncoder(nn.Module):
    """After the coarse encoder of DECA (Feng et al., SIGGRAPH 2021), with a perspective camera.

    Every output has its own row of one linear layer and starts at an average head seen from the front.
    """

    def __init__(self, config: EncoderConfig = EncoderConfig()) -> None:
        super().__init__()
        self.config = config
        self.trunk = ResidualTrunk(config.trunk)
        self.sizes = {
            "identity": config.identity, "expression": config.expression, "rotation": 6, "camera": 4,
            "lighting": 27, "age": 1, "gender": 1, "ancestry": 3,
        }  # fmt: skip
        self.hidden = nn.Linear(config.trunk.features, config.trunk.features)
        self.out = nn.Linear(config.trunk.features, sum(self.sizes.values()))
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)

    def forward(self, crops: Tensor) -> HeadCode:
        """Crops (B, 3, S, S) in [0, 1] of the ``"head"`` template."""
        cells = self.trunk.cells(crops)
        features = self.trunk.read(cells)
        hidden = features + F.relu(self.hidden(features))
        values = self.out(hidden).float()
        part = dict(zip(self.sizes, values.split(list(self.sizes.values()), dim=1)))
        camera, limit = part["camera"], self.config.limit
        light = 0.3 * part["lighting"].unflatten(1, (9, 3)) * EVEN_LIGHT
        light = torch.cat((light[:, :1] + EVEN_LIGHT, light[:, 1:]), dim=1)
        return HeadCode(
            identity=limit * torch.tanh(part["identity"] / limit),
            expression=soft_unit(part["expression"]),
            rotation=rotation_from_6d(part["rotation"] + values.new_tensor([1.0, 0, 0, 0, 1, 0])),
            scale=TYPICAL_SCALE * torch.exp(camera[:, 0].clamp(-1.5, 1.5)),
            center=camera[:, 1:3],
            inverse_distance=1 / FARTHEST_M + (1 / NEAREST_M - 1 / FARTHEST_M) * torch.sigmoid(camera[:, 3] - 1),
            lighting=light,
            age=100 * torch.sigmoid(part["age"][:, 0] - 0.6),
            gender=torch.sigmoid(part["gender"][:, 0]),
            ancestry=part["ancestry"].softmax(1),
            logits={"gender": part["gender"][:, 0], "ancestry": part["ancestry"]},
            features=torch.cat((hidden, cells), dim=1).float(),
        )


def soft_unit(values: Tensor, slope: float = 0.05) -> Tensor:
    """Clamps to [0, 1] but lets a little gradient through from outside.

    Training sees values a little beyond the limits, by ``slope`` of what is asked; clamp for use.
    """
    shifted = values + 0.05
    inside = shifted.clamp(0, 1)
    return inside + slope * torch.tanh(shifted - inside)
