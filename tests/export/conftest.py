from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facerecon.head import HeadModel
from facerecon.types import Demographics, Detail, Face, HeadParameters, Reconstruction


@pytest.fixture(scope="session")
def head() -> HeadModel:
    return HeadModel.from_pretrained()


@pytest.fixture(scope="session")
def reconstruction(head: HeadModel) -> Reconstruction:
    """A smiling head whose texture is red on the left half of the atlas and blue on the right."""
    known = Demographics(age=52.0, gender="male", source="user")
    identity = np.random.default_rng(0).normal(0, 0.5, len(head.identity_labels)).astype(np.float32)
    expression = np.zeros(len(head.expression_labels), np.float32)
    for name, strength in (("mouthSmileLeft", 0.7), ("jawOpen", 0.4)):
        expression[head.expression_labels.index(name)] = strength
    vertices = head.vertices(
        torch.from_numpy(identity)[None], torch.from_numpy(expression)[None], head.demographic_weights([known])
    )
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:, :32, 0] = texture[:, 32:, 2] = 200
    parameters = HeadParameters(
        identity=identity,
        expression=expression,
        demographics=known,
        rotation=np.eye(3, dtype=np.float32),
        translation_m=np.array([0, 0, -1], np.float32),
        focal_px=1000.0,
        principal_point=np.array([100, 100], np.float32),
        lighting=np.zeros((9, 3), np.float32),
    )
    face = Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32))
    return Reconstruction(0, face, parameters, vertices[0].numpy(), np.zeros((68, 2), np.float32), texture)


@pytest.fixture(scope="session")
def carved(reconstruction: Reconstruction) -> Reconstruction:
    """The same with a plateau of a millimetre in the middle of the face, whose rim the normal map shows."""
    displacement, relief = np.zeros((64, 64), np.float32), np.full((64, 64, 3), (128, 128, 255), np.uint8)
    displacement[24:40, 24:40] = 0.001
    relief[24:40, 23:25] = (78, 128, 244)
    return replace(reconstruction, detail=Detail(displacement, relief))
