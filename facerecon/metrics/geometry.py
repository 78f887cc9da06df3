"""How far one head's shape is from another's."""

from __future__ import annotations

from typing import Literal

import numpy as np

Alignment = Literal["similarity", "rigid", "none"]


def umeyama(source: np.ndarray, target: np.ndarray, with_scale: bool = True) -> tuple[float, np.ndarray, np.ndarray]:
    """The least-squares similarity between corresponding points.

    Umeyama, "Least-Squares Estimation of Transformation Parameters Between Two Point
    Patterns" (1991); never a reflection.

    Args:
        source, target: (N, D).
        with_scale: False keeps the scale at one.

    Returns:
        scale, rotation (D, D) and shift (D,): ``target`` is about ``scale * source @ rotation.T + shift``.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(0), target.mean(0)
    a, b = source - source_mean, target - target_mean
    u, values, vt = np.linalg.svd(b.T @ a)
    signs = np.ones(len(values))
    signs[-1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * signs) @ vt
    scale = float((values * signs).sum() / (a * a).sum()) if with_scale else 1.0
    return scale, rotation, target_mean - scale * rotation @ source_mean


def vertex_errors(
    predicted: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None, alignment: Alignment = "similarity"
) -> np.ndarray:
    """Distances between corresponding vertices after the best alignment.

    Args:
        predicted, truth: (V, 3).
        mask: (V,) bool, the vertices that are aligned and measured; all by default.
        alignment: what may move freely before it is measured.

    Returns:
        (number in the mask,) float64 in the unit given; multiply metres by 1000 for mm.

    Raises:
        ValueError: the shapes differ.
    """
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if predicted.shape != truth.shape:
        raise ValueError(f"The meshes differ in shape: {predicted.shape} and {truth.shape}.")
    if mask is not None:
        predicted, truth = predicted[mask], truth[mask]
    if alignment != "none":
        scale, rotation, shift = umeyama(predicted, truth, with_scale=alignment == "similarity")
        predicted = scale * predicted @ rotation.T + shift
    return np.linalg.norm(predicted - truth, axis=1)
