"""The embedding network: what it gives, what inference changes about it, what its file holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facerecon.checkpoints import CheckpointError
from facerecon.identity.encoder import IdentityEncoder, similarity
from facerecon.identity.network import IdentityConfig, IdentityNetwork, fused
from facerecon.identity.storage import load_network, save_network
from facerecon.types import Face, FaceReconError

TINY = IdentityConfig(image_size=32, channels=(8, 12, 16), blocks=(1, 1, 1), reduced=4, embedding=10)


def tiny_network() -> IdentityNetwork:
    torch.manual_seed(0)
    network = IdentityNetwork(TINY).eval()
    network.norm.running_mean.normal_()
    return network


def crops(count: int, size: int = 32) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8))


@pytest.fixture
def encoder() -> IdentityEncoder:
    return IdentityEncoder(tiny_network(), dtype=torch.float32)


def test_embeddings_are_unit_vectors_and_do_not_depend_on_their_company(encoder):
    faces = crops(70)
    together = encoder.embed(faces)
    assert together.shape == (70, 10) and together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(encoder.embed(faces[66])[0], together[66], atol=1e-5)
    assert encoder.embed([]).shape == (0, 10)


def test_a_mirrored_face_is_the_same_person(encoder):
    face = crops(1)[0]
    assert similarity(encoder.embed(face), encoder.embed(face[:, ::-1]))[0] == pytest.approx(1, abs=1e-5)


def test_pictures_that_are_no_crops_are_refused(encoder):
    for wrong in (np.zeros((32, 30, 3), np.uint8), np.zeros((32, 32, 3), np.float32), np.zeros((2, 32, 32), np.uint8)):
        with pytest.raises(FaceReconError, match="square"):
            encoder.embed([wrong])


def test_faces_of_a_photo_are_found_at_their_points(encoder):
    photo = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)
    points = np.array([[40, 30], [60, 30], [50, 42], [43, 52], [58, 52]], np.float32)
    face = Face(np.array([30, 20, 70, 65], np.float32), points)
    moved = Face(face.box + 20, points + 20)
    shifted = np.roll(photo, (20, 20), (0, 1))
    assert encoder.crop(photo, face).shape == (32, 32, 3)
    assert np.array_equal(encoder.crop(photo, face), encoder.crop(shifted, moved))
    assert not np.array_equal(encoder.crop(photo, face), encoder.crop(photo, moved))
    two = encoder.embed_faces(photo, [face, moved])
    assert np.allclose(two[1], encoder.embed(encoder.crop(photo, moved))[0], atol=1e-5)


def test_fusing_changes_no_result():
    network, pictures = tiny_network(), torch.rand(3, 3, 32, 32)
    before = network(pictures)
    assert torch.allclose(fused(network)(pictures), before, atol=1e-4)


def test_features_carry_gradients_to_the_picture(encoder):
    picture = torch.rand(1, 3, 32, 32, requires_grad=True)
    maps = encoder.features(picture)
    assert [m.shape[-1] for m in maps] == [8, 4, 2]
    sum(m.square().sum() for m in maps).backward()
    assert picture.grad.abs().sum() > 0
    picture.grad = None
    encoder.differentiable_embedding(picture)[0, 0].backward()
    assert picture.grad.abs().sum() > 0


def test_the_differentiable_embedding_agrees_with_the_plain_one(encoder):
    face = crops(1)[0]
    tensor = torch.from_numpy(np.stack([face, face[:, ::-1]]).transpose(0, 3, 1, 2).copy()) / 255
    both = encoder.differentiable_embedding(tensor).sum(0).numpy()
    assert np.allclose(both / np.linalg.norm(both), encoder.embed(face)[0], atol=1e-5)


def test_files_keep_size_and_weights(tmp_path):
    network, path = tiny_network(), tmp_path / "identity.safetensors"
    save_network(network, path)
    again, pictures = load_network(path), torch.rand(2, 3, 32, 32)
    assert again.config == TINY
    assert torch.allclose(again(pictures), network(pictures), atol=2e-2)


def test_a_file_of_something_else_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="other.safetensors"):
        load_network(tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError):
        load_network(tmp_path / "missing.safetensors")
