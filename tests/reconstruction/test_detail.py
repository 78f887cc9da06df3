from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facerecon.head.hair import DIRECTIONS, grow_hair
from facerecon.reconstruction.detail import FLAT, Detailer, normal_map, trust_in
from facerecon.reconstruction.detail_network import CHANNELS, LIMIT_MM, DetailConfig, DetailNetwork, band, visible
from facerecon.reconstruction.detail_surface import SIZE, cut_window, strain, surface_maps, whole_texture, window_slices
from facerecon.reconstruction.texture import TextureResult
from facerecon.reconstruction.texture_atlas import TextureAtlas, atlas_of
from facerecon.reconstruction.texture_projection import PhotoTexels
from facerecon.reconstruction.texture_tone import Tone
from facerecon.rendering.shading import directional_light, uniform_light
from facerecon.types import Demographics, HeadParameters
from tests.fakes import make_face

TINY = DetailConfig(widths=(8, 8), blocks=(1, 1))


@pytest.fixture(scope="module")
def atlas(head) -> TextureAtlas:
    return atlas_of(head, 512)


def hill(width: float = 6.0) -> np.ndarray:
    """A bump of a millimetre on the cheek, (N, N)."""
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.exp(-0.5 * ((x - 90) ** 2 + (y - 150) ** 2) / width**2).astype(np.float32)


def test_the_window_holds_the_face_and_goes_back_to_its_place(atlas):
    face = atlas.masks["face"] > 0.5
    rows, columns = window_slices(512)
    assert face[rows, columns].sum() > 0.95 * face[100:380].sum()
    back = whole_texture(cut_window(atlas.masks["face"]))
    assert back.shape == (512, 512) and np.array_equal(back[rows, columns], atlas.masks["face"][rows, columns])
    assert back[:50].max() == 0


def test_the_surface_turns_as_a_displaced_mesh_does(head, atlas):
    vertices = atlas.template
    shape, metric, whole = surface_maps(vertices, atlas, np.eye(3))
    assert np.abs(np.linalg.norm(shape[..., :3], axis=-1) - 1)[whole].max() < 1e-3
    cheek = (75, 45)
    n, a, b = np.split(shape[cheek], 3)
    assert n[2] > 0.3 and abs(a @ n) < 0.15 and abs(b @ n) < 0.15
    # A step to the right moves to the head's left (+x); a bump that rises there turns the normal to -x.
    assert a[0] > 0.3 and b[1] < -0.3
    assert 0.6 < np.sqrt(metric[cheek][0]) < 1.6  # about a millimetre a texel


def test_strain_tells_where_an_expression_squeezes_the_skin(head, atlas):
    expression = torch.zeros(1, len(head.expression_labels))
    expression[0, head.expression_labels.index("browInnerUp")] = 1
    raised = head.vertices(expression=expression)[0].numpy()
    change = strain(raised, head.vertices()[0].numpy(), atlas)
    forehead, chin = change[12:28, 50:78, 1], change[100:115, 50:78, 1]
    assert forehead.mean() < -0.01 and abs(chin).max() < 0.02
    assert not strain(raised, raised, atlas).any()


def test_light_from_the_left_brightens_the_left_of_a_bump_and_grooves_are_dark(atlas):
    shape = torch.from_numpy(surface_maps(atlas.template, atlas, np.eye(3))[0].transpose(2, 0, 1))[None]
    lamp = (directional_light(torch.tensor([[-1.0, 0.0, 1.0]]), torch.ones(1, 3)) + uniform_light(1, 0.3)[0])[None, :, 0]
    bump = torch.from_numpy(hill())[None, None]
    change = visible(bump, shape, lamp, 0.0)[0, 0].numpy()
    assert change[150, 84] > 0.02 and change[150, 96] < -0.02
    even = uniform_light(1)[..., 0]
    assert abs(visible(bump, shape, even, 0.0)).max() < 1e-3
    assert visible(-bump, shape, even, 0.8)[0, 0, 150, 90] < -0.1


def test_band_keeps_lines_and_drops_shade():
    ramp = torch.linspace(0, 2, SIZE).expand(1, 1, SIZE, SIZE).clone()
    line = ramp.clone()
    line[..., 100, :] -= 0.5
    weight = torch.ones(1, 1, SIZE, SIZE)
    flat, kept = band(ramp, weight)[..., 40:-40, 40:-40], band(line, weight)
    assert abs(flat).max() < 0.02 and kept[0, 0, 100, 128] < -0.4


def test_network_starts_flat_and_moves_nothing_that_was_not_seen():
    network = DetailNetwork(TINY)
    seen = torch.rand(1, CHANNELS, 32, 32)
    assert not network(seen).any()
    torch.nn.init.normal_(network.unet.to_pixels.weight, std=3.0)
    seen[:, 4, :, :16] = 0
    moved = network(seen)
    assert not moved[..., :16].any() and 0 < abs(moved[..., 16:]).max() <= LIMIT_MM


def test_normal_map_leans_away_from_a_bump(atlas):
    picture = normal_map(hill(), atlas.template, atlas)
    assert np.abs(picture[:40].astype(int) - FLAT).max() <= 1
    left, right, above = picture[150, 84], picture[150, 96], picture[144, 90]
    assert left[0] < 118 and right[0] > 138 and above[1] > 138  # red along u, green up the texture


@pytest.fixture(scope="module")
def sculpted(head):
    """A grey face with a dark line on its cheek, seen from the front, and what a network with some weights makes of it."""
    torch.manual_seed(0)
    network = DetailNetwork(TINY)
    torch.nn.init.normal_(network.unet.to_pixels.weight, std=0.3)
    size, atlas = 512, atlas_of(head, 512)
    lab = np.full((size, size, 3), (70, 10, 14), np.float32)
    lab[240:243, 200:240, 0] = 45
    ones = np.ones((size, size), np.float32)
    tone = Tone(lab[0, 0], np.full(3, 6, np.float32), lab[0, 0], 1.0, 1.0, np.array([20, 0, 0], np.float32), 1.0, 0.0, 0.5)
    seen = np.full((size, size), 255, np.uint8)
    seen[:, size // 2 :] = 0
    painted = TextureResult(np.zeros((size, size, 3), np.uint8), seen, PhotoTexels(lab, ones, ones, ones, 2.0), tone)
    expression = np.zeros(len(head.expression_labels), np.float32)
    identity = np.zeros(len(head.identity_labels), np.float32)
    light = uniform_light(1)[0].numpy()
    pose = np.array([0, 0, -1], np.float32)
    parameters = HeadParameters(identity, expression, Demographics(), np.eye(3, dtype=np.float32), pose, 900.0, np.zeros(2, np.float32), light)
    return Detailer(network, head), painted, parameters, atlas.template


def test_detail_is_in_metres_and_lies_where_the_photo_saw(sculpted):
    detailer, painted, parameters, vertices = sculpted
    detail = detailer.sculpt(painted, parameters, vertices)
    assert detail.displacement_m.shape == (512, 512) and detail.normal_map.shape == (512, 512, 3)
    assert 1e-6 < np.abs(detail.displacement_m[150:330, 150:240]).max() <= LIMIT_MM / 1000
    assert not detail.displacement_m[:, 262:].any()
    assert (detail.normal_map[:, 264:] == FLAT).all() and detail.normal_map.dtype == np.uint8


def test_another_expression_gives_another_relief(sculpted):
    detailer, painted, parameters, vertices = sculpted
    expression = parameters.expression.copy()
    same, smile = detailer.sculpt(painted, parameters, vertices, expression), expression
    assert np.allclose(same.displacement_m, detailer.sculpt(painted, parameters, vertices).displacement_m, atol=1e-6)
    smile[detailer.head.expression_labels.index("mouthSmileRight")] = 1
    other = detailer.sculpt(painted, parameters, vertices, smile)
    assert np.abs(other.displacement_m - same.displacement_m).max() > 1e-6


def test_hair_is_no_strain_of_the_skin(sculpted):
    detailer, painted, parameters, vertices = sculpted
    hairy = replace(parameters, hair=np.full(DIRECTIONS, 0.04, np.float32))
    window = detailer.window(painted, hairy, grow_hair(vertices, hairy.hair, detailer.head), atlas_of(detailer.head, 512))
    assert np.abs(window.strain).max() < 1e-3


def test_weights_are_optional(head, monkeypatch, tmp_path):
    monkeypatch.setattr("facerecon.checkpoints.WEIGHTS", tmp_path)
    monkeypatch.delenv("FACERECON_HUB_REPO", raising=False)
    assert Detailer.shipped(head) is None


def test_noise_takes_the_relief_away():
    rng, calm = np.random.default_rng(0), np.full((300, 300, 3), 120, np.uint8)
    face = make_face(60, 60, 180)
    noisy = [np.clip(calm + rng.normal(0, sigma, calm.shape), 0, 255).astype(np.uint8) for sigma in (0.5, 12, 40)]
    trusts = [trust_in(photo, face) for photo in noisy]
    assert trusts[0] == 1 and 0 < trusts[1] < 1 and trusts[2] == 0
