"""The sum of losses of a mixed batch."""

from __future__ import annotations

from dataclasses import asdict

import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.head import HeadModel
from facerecon.reconstruction import losses
from facerecon.reconstruction.camera import crop_points
from facerecon.reconstruction.encoder import EVEN_LIGHT, HeadCode
from facerecon.reconstruction.feedback import Anchors
from train.landmarks.data import to_unit
from train.reconstruction.config import LossWeights
from train.reconstruction.picture import Portraitist, frozen_judge, likeness_loss, photometric_loss

USUAL_INVERSE_DISTANCE = 0.8  # 1 / metres: photos without other evidence


class Objective:
    """Losses against one head model.

    Args:
        head: the head model that the code's numbers belong to.
        weights: of the losses.
        anchors: of the encoder's feedback, where it has one.
    """

    def __init__(self, head: HeadModel, weights: LossWeights, anchors: Anchors | None = None) -> None:
        self.head, self.weights, self.anchors = head, asdict(weights), anchors
        self.regions, self.costs = losses.region_weights(head), losses.expression_costs(head)
        self.portraitist = Portraitist(head) if weights.photometric or weights.likeness else None
        self.judge = frozen_judge(head.faces.device) if weights.likeness else None

    def __call__(self, code: HeadCode, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """The weighted sum and each loss by name (unweighted); rendered faces are the batch's first rows."""
        rendered = len(batch["identity"])
        demographics = self._demographics(code, batch, rendered)
        vertices = self.head.vertices(code.identity, code.expression, demographics)
        landmarks = code.project(self.head.landmarks(vertices, code.yaw.detach()))
        by_face = losses.landmark_loss(landmarks, batch["landmarks"])
        trust = torch.maximum(losses.landmark_trust(code.yaw.detach()[rendered:]), batch["sure"])
        by_face = torch.cat((by_face[:rendered], by_face[rendered:] * trust))
        parts = {"landmarks": by_face.mean()}
        parts |= losses.demographics_loss(code, batch["age"], batch["gender"], batch["ancestry"])
        parts |= self._truth(code, vertices[:rendered], batch, rendered)
        parts |= self._looks(code, batch, rendered)
        parts |= self._pictures(code, vertices, batch)
        unusual = (code.inverse_distance - USUAL_INVERSE_DISTANCE).square()
        parts["prior"] = (losses.prior_loss(code, self.costs) + 0.3 * unusual)[rendered:].mean()
        total = sum(self.weights[name] * value for name, value in parts.items())
        with torch.no_grad():
            error = (landmarks - batch["landmarks"]).norm(dim=2).mean(1)
            extent = (batch["landmarks"].amax(1) - batch["landmarks"].amin(1)).prod(1).sqrt()
            logs = {k: v.item() for k, v in parts.items()}
            logs["photo_percent"] = float((error / extent)[rendered:].mean() * 100)
        return total, logs

    def _demographics(self, code: HeadCode, batch: dict[str, Tensor], rendered: int) -> Tensor:
        """Weights of the mean (B, D): the truth for every other rendered face, as when a user states it."""
        told = torch.zeros(len(code.age), dtype=torch.bool, device=code.age.device)
        told[:rendered:2] = True
        age = torch.where(told, batch["age"].nan_to_num(), code.age)
        gender = torch.where(told, batch["gender"].nan_to_num(), code.gender)
        ancestry = torch.where(told[:, None], batch["ancestry"].nan_to_num(), code.ancestry)
        return self.head.encode_demographics(age, gender, ancestry)

    def _truth(self, code: HeadCode, vertices: Tensor, batch: dict[str, Tensor], rendered: int) -> dict[str, Tensor]:
        first = slice(0, rendered)
        with torch.no_grad():
            mean = self.head.encode_demographics(batch["age"][first], batch["gender"][first], batch["ancestry"][first])
            truth = self.head.vertices(batch["identity"], batch["expression"], mean)
        return {
            "vertices": losses.vertex_loss(vertices, truth, self.regions).mean(),
            "shape": losses.shape_loss(vertices, truth, self.regions).mean(),
            "rotation": (code.rotation[first] - batch["rotation"]).flatten(1).norm(dim=1).mean(),
            "scale": (code.scale[first] / batch["scale"]).log().abs().mean(),
            "distance": (code.inverse_distance[first] - batch["inverse_distance"]).abs().mean(),
            "expression": F.smooth_l1_loss(code.expression[first], batch["expression"], beta=0.05),
            "lighting": (code.lighting[first] - batch["lighting"]).abs().mean() / EVEN_LIGHT,
        }

    def _looks(self, code: HeadCode, batch: dict[str, Tensor], rendered: int) -> dict[str, Tensor]:
        """How far each look at a rendered face was off, and how far what it said of that, mean of crop sides."""
        if self.anchors is None or not code.looks:
            return {}
        who = (batch[name][:rendered] for name in ("identity", "expression", "age", "gender", "ancestry"))
        camera = (batch[name][:rendered] for name in ("rotation", "scale", "center", "inverse_distance"))
        truth = crop_points(self.anchors.place(*who), *camera)
        places = torch.stack([look.places[:rendered] for look in code.looks])
        offsets = torch.stack([look.offsets[:rendered] for look in code.looks])
        return {
            "places": (places - truth).norm(dim=-1).mean(),
            "offsets": (places.detach() + offsets - truth).norm(dim=-1).mean(),
        }

    def _pictures(self, code: HeadCode, vertices: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """How the heads of the last rows look beside their photos."""
        if self.portraitist is None:
            return {}
        photos, drawn = to_unit(batch["photos"], torch.float32), slice(-len(batch["photos"]), None)
        picture = self.portraitist.draw(code.part(drawn), vertices[drawn], photos, batch["skin"][:, None].float() / 255)
        found = {"photometric": photometric_loss(picture).mean()}
        if self.judge is not None:
            found["likeness"] = likeness_loss(self.judge, picture, photos, batch["landmarks"][drawn].cpu().numpy()).mean()
        return found
