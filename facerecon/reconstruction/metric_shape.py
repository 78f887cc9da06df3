"""The shape of a face in metres from who it is: a mapping network after MICA.

Zielonka, Bolkart and Thies, "Towards Metrical Reconstruction of Human Faces", ECCV 2022: an
embedding that tells people apart whatever their pose, expression and light is turned into the
identity of a head. Here it is joined by the coarse encoder's features and begins at the coarse
encoder's own answer, which it corrects. As the head's mean depends on age, gender and ancestry,
they are part of the shape and corrected, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from facerecon.checkpoints import CheckpointError, checkpoint_version, find_checkpoint, load_network
from facerecon.demographics import ancestry_weights
from facerecon.identity import IdentityEncoder
from facerecon.reconstruction.encoder import HeadCode
from facerecon.types import Demographics, Face, Image

YEARS = 100.0
AGE_EDGE = 1e-3  # of a century: ages stay so far inside of 0 to 100
ROUNDED_FROM = "rounded_from"
"""Metadata of a checkpoint that was stored anew in fewer bits: the version of the file before."""
PEOPLE = 5  # numbers that age, gender and ancestry take
KNOWN = PEOPLE + 3  # and which of the three are known


@dataclass(frozen=True)
class MetricShapeConfig:
    """Size of a mapping network.

    Attributes:
        embedding: length of the face embedding, 0 to do without.
        features: length of the coarse encoder's features, 0 to do without.
        hidden: width of the layers.
        layers: how many there are before the last one.
        identity: coefficients that are corrected, the coarse encoder's.
        limit: identity coefficients stay within this many standard deviations.
        dropout: share of the hidden numbers left out in training.
        encoder: version of the coarse encoder's checkpoint whose features it learned from.
    """

    embedding: int = 176
    features: int = 1536
    hidden: int = 300
    layers: int = 3
    identity: int = 80
    limit: float = 3.0
    dropout: float = 0.2
    encoder: str = ""

    def to_dict(self) -> dict:
        """As plain values, for a checkpoint's metadata."""
        return asdict(self)


@dataclass
class ShapeCode:
    """What makes a neutral head, float32: ``identity`` (B, K) standard deviations, ``age`` (B,) years,
    ``gender`` (B,) 0 female to 1 male, ``ancestry`` (B, 3) summing to one."""

    identity: Tensor
    age: Tensor
    gender: Tensor
    ancestry: Tensor

    @classmethod
    def of(cls, code: HeadCode) -> ShapeCode:
        """The coarse encoder's own."""
        return cls(code.identity, code.age, code.gender, code.ancestry)


class MetricShape(nn.Module):
    """Corrects a coarse shape; untrained, it leaves it as it is."""

    def __init__(self, config: MetricShapeConfig = MetricShapeConfig()) -> None:
        super().__init__()
        self.config = config
        widths = {"embedding": config.embedding, "features": config.features}
        self.norms = nn.ModuleDict({name: nn.LayerNorm(width) for name, width in widths.items() if width})
        width, layers = sum(widths.values()) + KNOWN, []
        for _ in range(config.layers):
            layers += [nn.Linear(width, config.hidden), nn.LeakyReLU(0.2), nn.Dropout(config.dropout)]
            width = config.hidden
        self.layers = nn.Sequential(*layers)
        self.out = nn.Linear(width, config.identity + PEOPLE)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None) -> MetricShape:
        """``weights/shape`` or a safetensors file, float32, for inference.

        Raises:
            CheckpointError: no checkpoint was found, or it does not fit.
        """
        return load_network("shape", lambda values: cls(MetricShapeConfig(**values)), path).eval()

    def forward(self, embedding: Tensor, features: Tensor, coarse: ShapeCode, known: Tensor | None = None) -> ShapeCode:
        """The corrected shape.

        Args:
            embedding: (B, E) of unit length.
            features: (B, F) ``HeadCode.features``.
            coarse: the shape to begin with.
            known: (B, KNOWN) from :func:`known_numbers`, what is stated of a person; nothing by default.
        """
        if known is None:
            known = embedding.new_zeros(len(embedding), KNOWN)
        given = {"embedding": embedding, "features": features}
        parts = [norm(given[name].float()) for name, norm in self.norms.items()]
        moves = self.out(self.layers(torch.cat((*parts, known), dim=1)))
        identity, age, gender, ancestry = moves.split((self.config.identity, 1, 1, 3), dim=1)
        century = (coarse.age / YEARS).clamp(AGE_EDGE, 1 - AGE_EDGE)
        return ShapeCode(
            identity=bounded(coarse.identity, identity, self.config.limit),
            age=YEARS * torch.sigmoid(century.logit() + age[:, 0]),
            gender=torch.sigmoid(coarse.gender.clamp(1e-4, 1 - 1e-4).logit() + gender[:, 0]),
            ancestry=(coarse.ancestry.clamp_min(1e-4).log() + ancestry).softmax(1),
        )


def encoder_versions(path: Path) -> set[str]:
    """Versions of an encoder's checkpoint: its own, and that of the file whose weights it holds in fewer bits."""
    file = next(iter(sorted(path.glob("*.safetensors"))), path) if path.is_dir() else path
    with safe_open(str(file), "pt") as handle:
        before = (handle.metadata() or {}).get(ROUNDED_FROM)
    return {checkpoint_version(path)} | ({before} if before else set())


def bounded(start: Tensor, move: Tensor, limit: float) -> Tensor:
    """``start`` moved, where steps grow small toward ``limit``; no move leaves it as it is."""
    inside = (start / limit).clamp(-0.999, 0.999)
    return limit * torch.tanh(torch.atanh(inside) + move / limit)


def known_numbers(age: Tensor, gender: Tensor, ancestry: Tensor) -> Tensor:
    """What is stated of people as numbers (B, KNOWN): age (B,) years, gender (B,), ancestry (B, 3), NaN where unknown."""
    values = torch.cat(((age / YEARS - 0.4)[:, None], (gender - 0.5)[:, None], ancestry - 1 / 3), dim=1)
    there = torch.stack((~age.isnan(), ~gender.isnan(), ~ancestry.isnan().any(1)), dim=1)
    return torch.cat((values.nan_to_num(0.0), there.float()), dim=1)


class MetricShaper:
    """Metric shape of faces in photos: the face embedding and the mapping network.

    Args:
        network: on the CPU, where it takes well under a millisecond a face.
        identity: the face embedding that the network was trained on.
    """

    def __init__(self, network: MetricShape, identity: IdentityEncoder) -> None:
        self.network, self.identity = network.eval(), identity

    @classmethod
    def shipped(cls, device: str = "auto") -> MetricShaper | None:
        """Of ``weights/shape`` and ``weights/identity``; None where one is missing or the encoder is another by now."""
        try:
            network = MetricShape.from_pretrained()
            if network.config.encoder not in encoder_versions(find_checkpoint("reconstruction")):
                return None
            return cls(network, IdentityEncoder.from_pretrained(device))
        except CheckpointError:
            return None

    @torch.inference_mode()
    def shape(
        self, code: HeadCode, images: Sequence[Image], faces: Sequence[Face], demographics: Sequence[Demographics | None]
    ) -> HeadCode:
        """The code with the shape that the network makes of it.

        Args:
            code: what the coarse encoder says of each face.
            images: one photo (H, W, 3) uint8 for each face.
            faces: where the face is in its photo.
            demographics: what is stated of each person.
        """
        embedding = self.identity.embed([self.identity.crop(image, face) for image, face in zip(images, faces)])
        names = ("identity", "age", "gender", "ancestry")
        coarse = ShapeCode(*(getattr(code, name).cpu().float() for name in names))
        found = self.network(torch.from_numpy(embedding), code.features.cpu(), coarse, stated_numbers(demographics))
        return replace(code, **{name: getattr(found, name) for name in names})


def stated_numbers(people: Sequence[Demographics | None]) -> Tensor:
    """What users state of people, as :func:`known_numbers` has it."""
    known = [person or Demographics() for person in people]
    age = torch.tensor([torch.nan if person.age is None else float(person.age) for person in known])
    gender = torch.tensor([torch.nan if person.gender is None else float(person.gender == "male") for person in known])
    weights = [ancestry_weights(person.race, person.ethnicity) for person in known]
    ancestry = torch.stack([torch.full((3,), torch.nan) if w is None else torch.as_tensor(w).float() for w in weights])
    return known_numbers(age, gender, ancestry)
