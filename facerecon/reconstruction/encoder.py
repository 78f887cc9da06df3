"""One network from an aligned crop to everything that makes a head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.head import HeadModel
from facerecon.reconstruction.camera import (
    FARTHEST_M,
    NEAREST_M,
    TYPICAL_SCALE,
    crop_points,
    rotation_from_6d,
    yaw_of,
)
from facerecon.reconstruction.feedback import Anchors, Feedback, FeedbackConfig, Look
from facerecon.reconstruction.trunk import ResidualTrunk, TrunkConfig
from facerecon.types import FaceReconError

EVEN_LIGHT = math.sqrt(4 * math.pi)  # first coefficient of a light that shades every albedo by one


@dataclass(frozen=True)
class EncoderConfig:
    """Size of an encoder.

    Attributes:
        trunk: of the convolutions.
        identity: components of the head's identity basis that are predicted, the largest ones.
        expression: number of expressions.
        limit: identity coefficients stay within this many standard deviations.
        feedback: of the corrections after the first guess; None for none.
    """

    trunk: TrunkConfig = field(default_factory=TrunkConfig)
    identity: int = 80
    expression: int = 52
    limit: float = 3.0
    feedback: FeedbackConfig | None = None

    def to_dict(self) -> dict:
        """As plain values, for a checkpoint's metadata."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> EncoderConfig:
        """Back from :meth:`to_dict`, lists or tuples."""
        trunk = {k: tuple(v) if isinstance(v, list) else v for k, v in values["trunk"].items()}
        feedback = values.get("feedback")
        return cls(**{**values, "trunk": TrunkConfig(**trunk), "feedback": feedback and FeedbackConfig(**feedback)})


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
        features: (B, F) what all this was read from: the last hidden layer, the cells of the last maps, and the hidden layer
            of the last correction.
        looks: at the anchors, one a correction.
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
    looks: Sequence[Look] = ()

    def project(self, points: Tensor) -> Tensor:
        """Points (B, N, 3) of the head's frame in the crop: (B, N, 2) crop sides from its centre."""
        return crop_points(points, self.rotation, self.scale, self.center, self.inverse_distance)

    def part(self, rows: slice) -> HeadCode:
        """The code of some of the crops; their looks are left out."""
        parts = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name not in ("logits", "looks")}
        return HeadCode(**parts, logits={name: values[rows] for name, values in self.logits.items()})

    @property
    def yaw(self) -> Tensor:
        """(B,) radians."""
        return yaw_of(self.rotation)


class HeadEncoder(nn.Module):
    """After the coarse encoder of DECA (Feng et al., SIGGRAPH 2021), with a perspective camera.

    Every output has its own row of one linear layer and starts at an average head seen from the front. With feedback, the maps
    are looked at again where the points of that head come to lie (``feedback``).

    Args:
        config: size of the encoder.
        head: the head that it speaks of; needed for feedback only.
    """

    LOOKED_AT = 2  # maps, the finest ones

    def __init__(self, config: EncoderConfig = EncoderConfig(), head: HeadModel | None = None) -> None:
        super().__init__()
        self.config = config
        self.trunk = ResidualTrunk(config.trunk)
        self.sizes = {
            "identity": config.identity, "expression": config.expression, "rotation": 6, "camera": 4,
            "lighting": 27, "age": 1, "gender": 1, "ancestry": 3,
        }  # fmt: skip
        features, outputs = config.trunk.features, sum(self.sizes.values())
        self.hidden = nn.Linear(features, features)
        self.out = nn.Linear(features, outputs)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)
        self.anchors = self.feedback = None
        if config.feedback is not None:
            if head is None:
                raise FaceReconError("An encoder with feedback must be told which head it speaks of.")
            self.anchors = Anchors(head, config.feedback.anchors)
            self.feedback = Feedback(config.feedback, sum(config.trunk.channels[: self.LOOKED_AT]), features, outputs)

    def forward(self, crops: Tensor) -> HeadCode:
        """Crops (B, 3, S, S) in [0, 1] of the ``"head"`` template."""
        maps = self.trunk.maps(crops)
        cells = self.trunk.lay(maps[-1])
        features = self.trunk.read(cells)
        hidden = features + F.relu(self.hidden(features))
        values, told, looks = self.out(hidden).float(), [hidden, cells], []
        if self.feedback is not None:
            fine = [m.float() for m in maps[: self.LOOKED_AT]]  # bfloat16 places would be up to an eighth of a pixel off
            for _ in range(self.config.feedback.rounds):
                places = self._places(values)
                more, corrected, offsets = self.feedback(fine, places.detach(), hidden, values)
                values = values + more
                looks.append(Look(places, offsets))
            told.append(corrected)
        return self._code(values, torch.cat(told, dim=1).float(), looks)

    def _places(self, values: Tensor) -> Tensor:
        """Where the anchors (B, N, 2) are seen."""
        code = self._code(values, values)
        expression = code.expression.clamp(0, 1)
        return code.project(self.anchors.place(code.identity, expression, code.age, code.gender, code.ancestry))

    def _code(self, values: Tensor, features: Tensor, looks: Sequence[Look] = ()) -> HeadCode:
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
            features=features,
            looks=looks,
        )


def soft_unit(values: Tensor, slope: float = 0.05) -> Tensor:
    """Clamps to [0, 1] but lets a little gradient through from outside.

    Training sees values a little beyond the limits, by ``slope`` of what is asked; clamp for use.
    """
    shifted = values + 0.05
    inside = shifted.clamp(0, 1)
    return inside + slope * torch.tanh(shifted - inside)
