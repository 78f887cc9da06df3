"""Another model fitted to our heads: here our own head, cut and renumbered, plays the other model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facerecon.head import HeadModel
from facerecon.head.bases import fit_basis
from facerecon.head.bases.linear import make_basis
from facerecon.head.hair import DIRECTIONS, grow_hair
from facerecon.head.hanging_hair import HEIGHTS_M
from facerecon.metrics.surfaces import SurfaceFinder
from facerecon.outputs import write_basis
from facerecon.types import Reconstruction
from tests.fakes import make_face
from tests.reconstruction.hair_pictures import posed


@pytest.fixture(scope="module")
def head():
    return HeadModel.from_pretrained()


@pytest.fixture(scope="module")
def basis(head):
    """A face mask of our head in another frame of its own, with 20 identity modes and 6 expressions."""
    keep = (head.masks["skin"] & ~head.masks["neck"] & ~head.masks["scalp"]).numpy()
    order = np.random.default_rng(0).permutation(np.flatnonzero(keep))
    number = np.full(len(keep), -1)
    number[order] = np.arange(len(order))
    faces = head.faces.numpy()
    faces = number[faces[keep[faces].all(1)]]
    with torch.no_grad():
        mean = head.vertices()[0].numpy()
        identity = head.vertices(identity=torch.eye(len(head.identity_labels))[:20]).numpy() - mean
        names = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "mouthPucker", "eyeBlinkLeft")
        which = [head.expression_labels.index(name) for name in names]
        expression = head.vertices(expression=torch.eye(len(head.expression_labels))[which]).numpy() - mean
    shift = np.array([0.01, 0.04, -0.03])
    return make_basis("gnm", mean[order] + shift, identity[:, order], expression[:, order], faces[:, ::-1], 1.0)


def test_the_mesh_lies_on_our_head_in_its_own_topology(head, basis):
    values = torch.zeros(1, len(head.identity_labels))
    values[0, :12] = torch.from_numpy(np.random.default_rng(1).normal(0, 1.2, 12).astype(np.float32))
    expression = torch.zeros(1, len(head.expression_labels))
    expression[0, head.expression_labels.index("jawOpen")] = 0.5
    with torch.no_grad():
        vertices = head.vertices(values, expression)[0].numpy()
    fit = fit_basis(basis, vertices, head)
    assert fit.vertices.shape == basis.template.shape
    off = SurfaceFinder(vertices, head.faces.numpy()).nearest(fit.vertices.astype(float))[1] * 1000
    still = SurfaceFinder(vertices, head.faces.numpy()).nearest(basis.template - [0.01, 0.04, -0.03])[1] * 1000
    assert np.median(off) < 0.4 and np.percentile(off, 95) < 1.5
    assert 0.5 < fit.rms_mm / np.sqrt((off**2).mean()) < 1.2  # to the planes of the surface, where it is matched
    assert np.median(off) < 0.35 * np.median(still)
    assert fit.expression[0] > 0.3
    assert 0.93 < fit.scale < 1.07


def test_another_models_mesh_has_none_of_the_hair_over_the_ears(head, basis, tmp_path):
    side = np.concatenate(([1.0], np.full(len(HEIGHTS_M), 0.11)))
    parameters = replace(posed(0), hair=np.concatenate((np.full(DIRECTIONS, 0.02), side, side)))
    with torch.no_grad():
        bald = head.vertices()[0].numpy()
    person = Reconstruction(0, make_face(0, 0, 9), parameters, grow_hair(bald, parameters.hair, head), np.zeros((68, 2)))
    file, _ = write_basis(tmp_path, "a", person, head, basis)
    written = np.array([line.split()[1:4] for line in file.read_text().splitlines() if line.startswith("v ")], float)
    assert np.abs(written - fit_basis(basis, bald, head).vertices).max() < 1e-5


def test_coefficients_are_written(head, basis, tmp_path):
    with torch.no_grad():
        fit = fit_basis(basis, head.vertices()[0].numpy(), head)
    with np.load(fit.write(tmp_path / "a_00_gnm")) as file:
        assert set(file.files) == {"identity", "expression", "scale", "rotation", "shift", "rms_mm"}
        rebuilt = basis.vertices(file["identity"], file["expression"]) * file["scale"] @ file["rotation"].T + file["shift"]
    assert np.abs(rebuilt - fit.vertices).max() < 1e-4
    assert np.abs(fit.identity).max() < 1.0  # the mean needs next to nothing
