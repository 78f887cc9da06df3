"""What the detector is trained to: confidence in every cell, box and points in those of a face."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.faces.center_network import cell_centers, decode

_POINT_BETA = 0.03  # sides of a face within which the points' loss is quadratic


@dataclass
class Targets:
    """What a batch should give; B pictures of N cells, P of them faces' cells.

    Attributes:
        cells: (P,) int64, index into (B * N).
        boxes: (P, 4) pixels.
        points: (P, 5, 2) pixels.
        silent: (B, N) bool, cells that count for nothing.
    """

    cells: Tensor
    boxes: Tensor
    points: Tensor
    silent: Tensor

    def to(self, device: torch.device | str) -> Targets:
        """The same on a device."""
        return Targets(*(value.to(device) for value in (self.cells, self.boxes, self.points, self.silent)))


def detection_losses(seen: Tensor, targets: Targets, height: int, width: int) -> dict[str, Tensor]:
    """Focal loss of the confidences (Lin et al., ICCV 2017), distance-IoU of the boxes (Zheng et al., AAAI 2020), smooth L1 of the points.

    Args:
        seen: (B, N, 15) from the network.
        targets: of the same pictures.
        height: of the pictures, pixels; and ``width``.

    Returns:
        ``confidence``, ``box`` and ``points``, each a mean over the cells of faces.
    """
    centers, strides = (value.to(seen.device) for value in cell_centers(height, width))
    logits = seen[..., 0]
    wanted = torch.zeros_like(logits)
    wanted.view(-1)[targets.cells] = 1.0
    focus = (torch.sigmoid(logits) - wanted).abs().square()
    confidence = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * focus
    count = max(len(targets.cells), 1)
    parts = {"confidence": (confidence * ~targets.silent).sum() / count}
    cell = targets.cells % seen.shape[1]
    boxes, points = decode(seen.flatten(0, 1)[targets.cells], centers[cell], strides[cell])
    parts["box"] = distance_iou_loss(boxes, targets.boxes).sum() / count
    sizes = (targets.boxes[:, 2:] - targets.boxes[:, :2]).prod(1).sqrt()
    error = (points - targets.points).norm(dim=2) / sizes[:, None]
    parts["points"] = F.smooth_l1_loss(error, torch.zeros_like(error), beta=_POINT_BETA, reduction="none").mean(1).sum() / count
    return parts


def distance_iou_loss(boxes: Tensor, truth: Tensor) -> Tensor:
    """(P,): one less the IoU, plus the centres' squared distance in diagonals of the smallest box round both."""
    shared = (torch.minimum(boxes[:, 2:], truth[:, 2:]) - torch.maximum(boxes[:, :2], truth[:, :2])).clamp_min(0).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (truth[:, 2:] - truth[:, :2]).prod(1)
    around = torch.maximum(boxes[:, 2:], truth[:, 2:]) - torch.minimum(boxes[:, :2], truth[:, :2])
    apart = (boxes[:, :2] + boxes[:, 2:] - truth[:, :2] - truth[:, 2:]).square().sum(1) / 4
    return 1 - shared / (areas - shared).clamp_min(1e-6) + apart / around.square().sum(1).clamp_min(1e-6)
