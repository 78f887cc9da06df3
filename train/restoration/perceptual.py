"""What LPIPS and FID measure, with a network that this project may use: its own face embedding.

Features are the rectified maps of the three stages of ``weights/identity``, which see a face at 112 pixels. Numbers are
comparable within a table, not with published ones, which come from VGG and Inception.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facerecon.identity import IdentityEncoder
from facerecon.types import Image

SIDE = 112
POOLED = 1  # the stage whose means describe a face in Fréchet's distance: 96 numbers


class FeatureJudge:
    """Compares faces as the face embedding's early stages see them.

    Args:
        encoder: the shipped embedding by default.
    """

    def __init__(self, encoder: IdentityEncoder | None = None) -> None:
        self.encoder = encoder or IdentityEncoder.from_pretrained("cpu")

    @torch.inference_mode()
    def features(self, face: Image) -> list[Tensor]:
        """Maps of a face (H, W, 3) uint8 after each stage, (C, h, w) float32."""
        small = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA if min(face.shape[:2]) > SIDE else cv2.INTER_CUBIC)
        crop = torch.from_numpy(np.ascontiguousarray(small)).permute(2, 0, 1)[None].float() / 255
        return [stage[0].float() for stage in self.encoder.network.features(crop)]

    def distance(self, a: list[Tensor], b: list[Tensor]) -> float:
        """LPIPS (Zhang et al., CVPR 2018) without learned weights: squared distance of unit features, mean over places and stages."""
        stages = [(F.normalize(x, dim=0) - F.normalize(y, dim=0)).square().sum(0).mean() for x, y in zip(a, b)]
        return float(torch.stack(stages).mean())

    def describe(self, features: list[Tensor]) -> np.ndarray:
        """The vector (C,) float64 that stands for a face in :func:`frechet_distance`."""
        return features[POOLED].mean((1, 2)).double().numpy()


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Between two sets of vectors (n, C), (m, C), as in FID (Heusel et al., NeurIPS 2017); sets smaller than C bias it upwards."""
    mean = a.mean(0) - b.mean(0)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0, None)).sum()
    return float(mean @ mean + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)
