"""One shape from several photos of one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch

from facerecon.reconstruction.camera import seen_yaw
from facerecon.reconstruction.landmark_basis import landmark_basis
from facerecon.types import Demographics, FaceReconError, HeadParameters, PersonShape, Reconstruction

LEAST_WEIGHT = 0.02
"""Of the worst photo; the best has 1."""
_FLIP = np.diag([1.0, -1.0, -1.0])  # between our camera frame (y up, z toward the lens) and OpenCV's


def fuse_shapes(heads: Sequence[Reconstruction]) -> PersonShape:
    """The weighted mean of the shapes that photos of one person gave.

    A photo's weight is the square of its ``quality``, which sharpness, pose and the fit of
    the landmarks make up; identity coefficients and mean weights are averaged alike, since
    vertices are linear in them.

    Raises:
        FaceReconError: there is no head.
    """
    if not heads:
        raise FaceReconError("There is no photo to take the person's shape from.")
    weights = np.array([max(float(head.quality.get("quality", 1.0)) ** 2, LEAST_WEIGHT) for head in heads])
    weights /= weights.sum()
    parameters = [head.parameters for head in heads]
    if any(p.mean_weights is None for p in parameters):
        raise FaceReconError("A reconstruction lacks the weights of its mean shape.")
    identity, mean_weights = (
        np.einsum("n,nk->k", weights, np.stack([getattr(p, name) for p in parameters])).astype(np.float32)
        for name in ("identity", "mean_weights")
    )
    return PersonShape(identity, mean_weights, mean_person([p.demographics for p in parameters], weights))


def mean_person(people: Sequence[Demographics], weights: np.ndarray) -> Demographics:
    """Of several judgements of one person with their weights (N,): the mean age, and the words that weigh most."""
    known = [(p.age, w) for p, w in zip(people, weights) if p.age is not None]
    age = round(float(np.average([a for a, _ in known], weights=[w for _, w in known])), 1) if known else None
    words = {name: _vote([getattr(p, name) for p in people], weights) for name in ("gender", "race", "ethnicity", "source")}
    return Demographics(age=age, auto_detect=people[0].auto_detect, **words)


def _vote(words: list[Any], weights: np.ndarray) -> Any:
    totals: dict[Any, float] = {}
    for word, weight in zip(words, weights):
        totals[word] = totals.get(word, 0.0) + float(weight)
    return max(totals, key=lambda word: totals[word])


@torch.inference_mode()
def put_shape(parameters: HeadParameters, landmarks: np.ndarray, person: PersonShape, head: Any) -> HeadParameters:
    """A photo's parameters with the person's shape, its pose moved so that landmarks stay where they were.

    Args:
        parameters: as the encoder says.
        landmarks: (68, 2) pixels, of the head that the encoder says.
        person: the shape.
        head: the ``HeadModel``.
    """
    shaped = replace(
        parameters, identity=person.identity, mean_weights=person.mean_weights, demographics=person.demographics
    )
    identity, expression, rotation, translation = (
        torch.from_numpy(np.asarray(v, np.float32))[None]
        for v in (person.identity, parameters.expression, parameters.rotation, parameters.translation_m)
    )
    vertices = head.vertices(identity, expression, head.mean_weights(shaped))
    points = head.landmarks(vertices, seen_yaw(rotation, translation))[0].numpy().astype(np.float64)
    rotation, translation = refit_pose(points, landmarks, parameters)
    return replace(shaped, rotation=rotation, translation_m=translation)


def exchange_shape(parameters: HeadParameters, person: PersonShape, head: Any) -> HeadParameters:
    """:func:`put_shape` where the landmarks are the head's own, in a fifth of the time that its vertices take.

    What the basis leaves out at the eyelids it leaves out before and after.
    """
    basis = landmark_basis(head)
    shaped = replace(
        parameters, identity=person.identity, mean_weights=person.mean_weights, demographics=person.demographics
    )
    x, y, z = (basis.marks(parameters, head) @ np.asarray(parameters.rotation, np.float64).T + parameters.translation_m).T
    pixels = np.asarray(parameters.principal_point, np.float64) + np.stack((x, -y), 1) * (parameters.focal_px / -z)[:, None]
    rotation, translation = refit_pose(basis.marks(shaped, head), pixels, parameters)
    return replace(shaped, rotation=rotation, translation_m=translation)


def refit_pose(points: np.ndarray, pixels: np.ndarray, parameters: HeadParameters) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and translation (3,) that bring points (N, 3) of the head nearest to pixels (N, 2).

    Levenberg-Marquardt from the pose and through the camera of ``parameters``.
    """
    (cx, cy), f = np.asarray(parameters.principal_point, np.float64), float(parameters.focal_px)
    camera = np.array([[f, 0, cx], [0, f, cy], [0, 0, 1]])
    turn = cv2.Rodrigues(_FLIP @ np.asarray(parameters.rotation, np.float64))[0]
    shift = (_FLIP @ np.asarray(parameters.translation_m, np.float64))[:, None]
    turn, shift = cv2.solvePnPRefineLM(points, np.asarray(pixels, np.float64), camera, None, turn, shift)
    rotation = _FLIP @ cv2.Rodrigues(turn)[0]
    return rotation.astype(np.float32), (_FLIP @ shift)[:, 0].astype(np.float32)
