"""Fits the part of the embedding that reads gradient histograms, and joins it to a trained network.

    python -m train.identity.fit_gradients --data runs/identity/faces --network runs/identity/identity.safetensors \
        --output weights/identity/identity.safetensors

In closed form, as Fisherfaces (Belhumeur, Hespanha and Kriegman, 1997): principal components, then
the directions in which photos of one person differ least. Half a minute on one core.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facerecon.identity.gradients import GradientHistograms, mirrored_order
from facerecon.identity.network import IdentityNetwork
from facerecon.identity.storage import load_network, save_network
from train.command_line import command
from train.identity.data import Faces
from train.identity.prepare import CROP, STORED

BATCH = 64
POWER_STEPS = 2  # of the randomised principal components
_SPARE = 40  # components more than are kept, for their accuracy


def fit(
    histograms: Tensor, person: Tensor, components: int, shrinkage: float, length: int, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """The linear map that tells people apart best.

    Args:
        histograms: (N, H) of photos, mirrored ones included.
        person: (N,) who they are.
        components: principal components to keep.
        shrinkage: of the scatter within people towards an even one, 0 to 1.
        length: of the embedding.

    Returns:
        weight (length, H) and bias (length,), for a linear layer.
    """
    mean = histograms.mean(0)
    values, vectors = _principal(histograms - mean, components, seed)
    whiten = vectors / values.sqrt()
    white = (histograms - mean) @ whiten
    within = _within(white, person)
    even = torch.eye(components) * within.trace() / components
    spread, directions = torch.linalg.eigh(((1 - shrinkage) * within + shrinkage * even).double())
    chosen = (directions[:, :length] / spread[:length].sqrt()).float()  # the least spread first
    weight = (whiten @ chosen).T.contiguous()
    weight /= (white @ chosen).norm(dim=1).mean()  # of about unit length: float16 keeps its digits
    return weight, -weight @ mean


def measure_histograms(crops: np.ndarray) -> Tensor:
    """(N, H) of stored crops (N, 128, 128, 3)."""
    edge = (STORED - CROP) // 2
    module, parts = GradientHistograms(), []
    with torch.inference_mode():
        for start in range(0, len(crops), BATCH):
            batch = crops[start : start + BATCH, edge : edge + CROP, edge : edge + CROP]
            parts.append(module(torch.from_numpy(np.ascontiguousarray(batch)).permute(0, 3, 1, 2).float() / 255))
    return torch.cat(parts)


def join(network: IdentityNetwork, weight: Tensor, bias: Tensor, share: float) -> IdentityNetwork:
    """A network with both parts."""
    config = replace(network.config, gradient_embedding=len(weight), gradient_share=share)
    joined = IdentityNetwork(config)
    state = {**network.state_dict(), "gradient_project.weight": weight, "gradient_project.bias": bias}
    joined.load_state_dict({key: state[key] for key in joined.state_dict()})
    return joined.eval()


def _principal(centred: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Variances (count,) and directions (H, count), largest first, by power iteration on a random subspace."""
    generator = torch.Generator().manual_seed(seed)
    basis = torch.randn(centred.shape[1], min(count + _SPARE, centred.shape[1]), generator=generator)
    for _ in range(POWER_STEPS):
        basis = torch.linalg.qr(centred.T @ (centred @ basis))[0]
    small = centred @ basis
    values, vectors = torch.linalg.eigh((small.T @ small).double() / len(small))
    order = values.argsort(descending=True)[:count]
    return values[order].float(), basis @ vectors[:, order].float()


def _within(rows: Tensor, person: Tensor) -> Tensor:
    """Mean scatter of photos about their person's mean, of people with more than one photo and its mirror image."""
    _, index, counts = person.unique(return_inverse=True, return_counts=True)
    means = torch.zeros(len(counts), rows.shape[1]).index_add_(0, index, rows) / counts[:, None]
    apart = (rows - means[index])[counts[index] > 2]
    return apart.T @ apart / len(apart)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders that train.identity.prepare wrote")
    parser.add_argument("--network", type=Path, required=True, help="what train.identity.train wrote")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--components", type=int, default=500)
    parser.add_argument("--shrinkage", type=float, default=0.01)
    parser.add_argument("--length", type=int, default=48)
    parser.add_argument("--share", type=float, default=0.6, help="of the cosine of two embeddings")
    args = parser.parse_args()
    faces = Faces.load(args.data)
    named = np.flatnonzero(faces.person < faces.named)
    histograms = measure_histograms(faces.images[named])
    both = torch.cat((histograms, histograms[:, mirrored_order(CROP)]))
    weight, bias = fit(both, torch.from_numpy(faces.person[named]).repeat(2), args.components, args.shrinkage, args.length)
    save_network(join(load_network(args.network), weight, bias, args.share), args.output)


if __name__ == "__main__":
    command(main)
