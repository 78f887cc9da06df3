"""What the mean appearance adds to the assets, on simple surfaces."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from facerecon.head import HeadModel
from facerecon.reconstruction.texture_atlas import atlas_of
from train.appearance.surface import ambient_occlusion, hair_strands, pores


@pytest.fixture(scope="module")
def atlas():
    return atlas_of(HeadModel.from_pretrained(), 512)


def ball(radius: float) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    return mesh.vertices.astype(np.float32), mesh.faces.astype(np.int64)


def test_a_ball_in_the_open_sees_the_sky_and_one_in_a_shell_does_not():
    vertices, faces = ball(0.1)
    shell, shell_faces = ball(0.2)
    assert ambient_occlusion(vertices, faces, directions=40).min() > 0.9
    both = np.concatenate([vertices, shell])
    hidden = ambient_occlusion(both, np.concatenate([faces, shell_faces + len(vertices)]), directions=40)
    assert hidden[: len(vertices)].max() < 0.05
    assert hidden[len(vertices) :].min() > 0.9


def test_strands_have_no_seam_at_the_back_of_the_head(atlas):
    strands = hair_strands(atlas).astype(np.float32)
    first, second = np.round(atlas.seams.pairs).astype(int).transpose(1, 0, 2)
    scalp = (atlas.masks["scalp"] > 0.5)[first[:, 1], first[:, 0]] & atlas.skin[second[:, 1], second[:, 0]]
    here, there = (strands[place[scalp, 1], place[scalp, 0]] for place in (first, second))
    assert scalp.sum() > 100
    assert np.corrcoef(here, there)[0, 1] > 0.6


def test_pores_neither_lighten_nor_darken(atlas):
    noise = pores(atlas)
    assert abs(noise.mean()) < 0.02
    assert noise.std() == pytest.approx(1, abs=0.01)
