"""What the networks for 68 landmarks are trained to do."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.faces.landmark_network import Found

HUBER_BETA = 0.01  # of the crop's side: beyond it an error counts linearly
_SMOOTH = 0.003  # crop sides: the distance's kink at zero is rounded off below this
_SPREAD_WEIGHT = 0.003  # the likelihood beside the distance; small, as the trunk is there for the positions
NO_FACE_ERROR = 0.3  # crop sides: how far off every point counts where there is no face
_PART_WEIGHT = 0.5
_LONGEST, _SHORTEST = 0.5, 0.001  # crop sides: of expected errors


def huber(landmarks: Tensor, truth: Tensor) -> Tensor:
    """The labeller's loss: Huber's of (B, 68, 2) coordinates in crop sides."""
    return F.smooth_l1_loss(landmarks, truth, beta=HUBER_BETA)


def distance_and_spread(found: Found, truth: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The landmarker's loss: mean distance, and the likelihood of that distance under the spread it expects.

    The likelihood is Laplace's in the plane, ``exp(-d / s) / s^2``. It teaches the spread alone, not the positions:
    otherwise a network may buy itself off hard faces. Both parts of the answer count beside their mixture.

    Args:
        found: what the network says.
        truth: (B, 68, 2) in crop sides; not a number where there is no face.

    Returns:
        The loss, and its parts by name.
    """
    face = torch.isfinite(truth).all(-1)
    distance = _distances(found.landmarks, truth, face)
    parts = [_distances(part, truth, face).sum() for part in (found.by_whole, found.by_votes)]
    error = distance.detach().masked_fill(~face, NO_FACE_ERROR)
    log_spread = found.log_spread.clamp(math.log(_SHORTEST), math.log(_LONGEST))
    likelihood = (error * torch.exp(-log_spread) + 2 * log_spread).mean()
    whole, votes, mean = (part / face.sum().clamp_min(1) for part in (*parts, distance.sum()))
    loss = mean + _PART_WEIGHT * (whole + votes) + _SPREAD_WEIGHT * likelihood
    told = {"distance": mean, "whole": whole, "votes": votes, "spread": likelihood}
    return loss, {name: part.detach() for name, part in told.items()}


def _distances(landmarks: Tensor, truth: Tensor, face: Tensor) -> Tensor:
    """(B, 68), zero where there is no face."""
    offset = (landmarks - truth).masked_fill(~face[..., None], 0.0)
    return (offset.square().sum(-1) + _SMOOTH**2).sqrt() - _SMOOTH
