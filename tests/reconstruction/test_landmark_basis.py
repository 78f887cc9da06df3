"""Landmarks from their own vertices alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from facerecon.reconstruction.landmark_basis import LandmarkBasis, landmark_basis, yaw_seen
from facerecon.types import Demographics, HeadParameters


def parameters(head, turn=0.0):
    rng = np.random.default_rng(0)
    expression = np.zeros(len(head.expression_labels), np.float32)
    expression[head.expression_labels.index("jawOpen")] = 0.6
    c, s = np.cos(turn), np.sin(turn)
    return HeadParameters(
        identity=rng.normal(0, 1, len(head.identity_labels)).astype(np.float32), expression=expression,
        demographics=Demographics(), rotation=np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32),
        translation_m=np.array([0, 0, -0.8], np.float32), focal_px=900.0, principal_point=np.zeros(2, np.float32),
        lighting=np.zeros((9, 3), np.float32), mean_weights=head.demographic_weights([Demographics(age=9, gender="female")])[0].numpy(),
    )  # fmt: skip


def by_vertices(head, p):
    code = (torch.from_numpy(v)[None] for v in (p.identity, p.expression))
    with torch.no_grad():
        return head.landmarks(head.vertices(*code, head.mean_weights(p)), yaw_seen(p))[0].numpy()


@pytest.mark.parametrize("turn", [0.0, 0.7, -0.4])
def test_they_are_those_of_the_whole_head(head, turn):
    p = parameters(head, turn)
    assert np.abs(LandmarkBasis(head).marks(p, head) - by_vertices(head, p)).max() < 5e-4  # eyelids, which meet the eyeball
    assert landmark_basis(head) is landmark_basis(head)


def test_ways_are_where_coefficients_take_them(head):
    p, basis = parameters(head), landmark_basis(head)
    ways, before = basis.ways(p, head, 20), basis.marks(p, head)
    assert ways.shape == (68, 3, 20 + len(head.expression_labels))
    identity, expression = p.identity.copy(), p.expression.copy()
    identity[3] += 0.5
    expression[7] += 0.2
    after = basis.marks(replace(p, identity=identity, expression=expression), head)
    assert np.allclose(after - before, 0.5 * ways[:, :, 3] + 0.2 * ways[:, :, 27], atol=1e-6)
