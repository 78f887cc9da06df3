"""The losses of metric shape: truth where it is known, photos of one person alike, landmarks where they are seen."""

from __future__ import annotations

from dataclasses import asdict

import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.head import HeadModel
from facerecon.reconstruction.camera import crop_points, yaw_of
from facerecon.reconstruction.losses import known_mean, landmark_loss
from facerecon.reconstruction.metric_shape import MetricShape, ShapeCode, known_numbers
from train.shape.config import LossWeights
from train.shape.consistency import ShapeReader, others_like
from train.shape.data import Batch
from train.shape.space import LandmarkPoints, ShapeSpace

APART_MM = 3.3  # root mean square distance of two adults of any two origins
UNKNOWN = ("age", "gender", "ancestry")


class Objective:
    """Losses against one head model.

    Args:
        head: the head model.
        weights: of the losses.
    """

    def __init__(self, head: HeadModel, weights: LossWeights) -> None:
        self.head, self.weights = head, asdict(weights)
        self.space, self.points = ShapeSpace(head), LandmarkPoints(head)
        self.reader = ShapeReader(self.space) if weights.consistency else None

    def __call__(self, network: MetricShape, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The weighted sum, and each loss by name (unweighted)."""
        parts: dict[str, list[Tensor]] = {}
        for kind, rows in batch.items():
            stated = self._stated(rows) if kind in ("rendered", "photos") else None
            code = look(network, rows, stated)
            for name, value in getattr(self, f"_{kind}")(code, rows, stated).items():
                parts.setdefault(name, []).append(value)
        means = {name: torch.stack(values).mean() for name, values in parts.items()}
        total = sum(self.weights[name] * value for name, value in means.items())
        return total, {name: value.item() for name, value in means.items()}

    def _stated(self, rows: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Age (B,), gender (B,) and ancestry (B, 3) that this batch is told, NaN elsewhere."""
        told = rows["told"]
        hidden = torch.tensor(torch.nan, device=told.device)
        return (
            torch.where(told[:, 0], rows["true_age"], hidden),
            torch.where(told[:, 1], rows["true_gender"], hidden),
            torch.where(told[:, 2:], rows["true_ancestry"], hidden),
        )

    def _rendered(self, code: ShapeCode, rows: dict[str, Tensor], stated) -> dict[str, Tensor]:  # noqa: ANN001
        truth = ShapeCode(rows["true_identity"], *(rows[f"true_{name}"] for name in UNKNOWN))
        shape = with_stated(code, stated)
        return {**self._truth(shape, self.space.coordinates(truth)), **self._people_traits(code, rows), **self._consistency(shape, truth)}

    def _scans(self, code: ShapeCode, rows: dict[str, Tensor], _) -> dict[str, Tensor]:  # noqa: ANN001
        return self._truth(code, rows["coefficients"])

    def _truth(self, code: ShapeCode, truth: Tensor) -> dict[str, Tensor]:
        found = self.space.coordinates(code)
        return {"vertices": self.space.apart_mm(found, truth).mean(), "slopes": self.space.turned_degrees(found, truth).mean()}

    def _photos(self, code: ShapeCode, rows: dict[str, Tensor], stated) -> dict[str, Tensor]:  # noqa: ANN001
        shape = with_stated(code, stated)
        weights = self.head.encode_demographics(shape.age, shape.gender, shape.ancestry)
        points = self.points(self.space.coordinates(shape), weights, rows["expression"].clamp(0, 1), yaw_of(rows["rotation"]))
        seen = crop_points(points, rows["rotation"], rows["scale"], rows["center"], rows["inverse_distance"])
        landmarks = landmark_loss(best_similarity(seen, rows["landmarks"]), rows["landmarks"]).mean()
        prior = shape.identity.square().mean()
        labels = with_stated(code, tuple(rows[f"true_{name}"] for name in UNKNOWN))
        return {"landmarks": landmarks, "prior": prior, **self._people_traits(code, rows), **self._consistency(shape, others_like(labels))}

    def _consistency(self, shape: ShapeCode, like: ShapeCode) -> dict[str, Tensor]:
        return {} if self.reader is None else {"consistency": self.reader.consistency(shape, like).mean()}

    def _people(self, code: ShapeCode, rows: dict[str, Tensor], _) -> dict[str, Tensor]:  # noqa: ANN001
        """Distance within people over that between them, squared: shrinking all shapes toward one gains nothing, and
        neither does driving people further apart than they are."""
        places = self.space.coordinates(code) @ self.space.metric
        first, second = places[0::2], places[1::2]
        within = (first - second).square().sum(1).mean()
        between = (first - second.roll(1, 0)).square().sum(1).mean()
        return {"people": within / between.clamp(1e-3, APART_MM**2)}

    def _people_traits(self, code: ShapeCode, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        age, gender, ancestry = (rows[f"true_{name}"] for name in UNKNOWN)
        years = F.smooth_l1_loss(code.age, age.nan_to_num(), beta=5.0, reduction="none") / 10
        sex = F.binary_cross_entropy(code.gender.clamp(1e-4, 1 - 1e-4), gender.nan_to_num(), reduction="none")
        origin = -(ancestry.nan_to_num() * code.ancestry.clamp_min(1e-4).log()).sum(1)
        total = known_mean(years, ~age.isnan()) + known_mean(sex, ~gender.isnan()) + known_mean(origin, ~ancestry.isnan().any(1))
        return {"demographics": total}


def look(network: MetricShape, rows: dict[str, Tensor], stated: tuple[Tensor, Tensor, Tensor] | None = None) -> ShapeCode:
    """The network's shape of prepared rows, told what is ``stated``."""
    coarse = ShapeCode(rows["identity"], rows["age"], rows["gender"], rows["ancestry"])
    return network(rows["embedding"], rows["features"], coarse, None if stated is None else known_numbers(*stated))


def with_stated(code: ShapeCode, stated: tuple[Tensor, Tensor, Tensor]) -> ShapeCode:
    """The shape, with the mean that stated values (NaN where unknown) make."""
    age, gender, ancestry = (torch.where(s.isnan(), getattr(code, n), s) for n, s in zip(UNKNOWN, stated))
    return ShapeCode(code.identity, age, gender, ancestry)


def best_similarity(points: Tensor, target: Tensor) -> Tensor:
    """Points (B, N, 2) after the shift, turn and scale that bring them nearest to ``target``: what a new pose would mend."""
    a, b = points - points.mean(1, keepdim=True), target - target.mean(1, keepdim=True)
    spread = a.square().sum((1, 2)).clamp_min(1e-9)
    along = (a * b).sum((1, 2)) / spread
    across = (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sum(1) / spread
    turned = torch.stack((-a[..., 1], a[..., 0]), dim=-1)
    return along[:, None, None] * a + across[:, None, None] * turned + target.mean(1, keepdim=True)
