"""What the network says of the faces that were held out of training, and temperatures that make it honest.

Temperature scaling after Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.demographics.data import Faces, Labels, central
from train.demographics.objective import age_losses, expected_age, losses
from train.landmarks.data import to_unit

BATCH = 128
TEMPERATURES = np.geomspace(0.4, 3.0, 60)


@torch.inference_mode()
def held_out_logits(network: nn.Module, faces: Faces) -> tuple[dict[str, Tensor], Labels]:
    """Logits (N, ...) by head, averaged over each face and its mirror image, and labels of the faces held out."""
    network.eval()
    index = torch.from_numpy(np.flatnonzero(faces.held_out()))
    weight, parts = next(network.parameters()), []
    for part in index.split(BATCH):
        crops = to_unit(central(faces.images[part.numpy()]).to(weight.device), weight.dtype)
        straight, mirrored = network(crops), network(crops.flip(3))
        parts.append({k: ((straight[k] + mirrored[k]) / 2).cpu() for k in straight})
    return {k: torch.cat([p[k] for p in parts]) for k in parts[0]}, faces.labels[index]


def summary(logits: dict[str, Tensor], labels: Labels) -> dict[str, float]:
    """The loss and plain accuracies, percent, and years of error."""
    years = (labels.age[:, 1] - labels.age[:, 0]) < 1.5
    wrong = (expected_age(logits["age"]) - labels.age[:, 0]).abs()
    out = {"loss": losses(logits, labels).mean(), "age_mae": wrong[years].mean()}
    for head, truth in (("gender", labels.male), ("utkface", labels.utkface), ("fairface", labels.fairface)):
        known = truth >= 0
        out[f"{head}_percent"] = 100 * (logits[head].argmax(1) == truth)[known].float().mean()
    return {k: round(float(v), 4) for k, v in out.items()}


def temperatures(logits: dict[str, Tensor], labels: Labels) -> dict[str, float]:
    """For each head the divisor of its logits that makes the held-out labels likeliest."""
    known_age = labels.age[:, 0] >= 0
    found = {"age": _best(lambda t: age_losses(logits["age"][known_age] / t, labels.age[known_age])[0].mean())}
    for head, truth in (("gender", labels.male), ("utkface", labels.utkface), ("fairface", labels.fairface)):
        known = truth >= 0
        found[head] = _best(lambda t, h=head, k=known, y=truth: F.cross_entropy(logits[h][k] / t, y[k]))
    return found


def _best(loss) -> float:  # noqa: ANN001
    return float(min(TEMPERATURES, key=lambda t: float(loss(float(t)))))
