"""Loading a checkpoint and restoring crops of any size."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facerecon.restoration import CONFIGS, CodeFormer, FaceRestorer
from facerecon.restoration.texture import TEXTURE_CONFIGS, TextureNetwork, TextureSynthesis
from facerecon.types import Demographics, FaceReconError


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    network = CodeFormer(CONFIGS["tiny"])
    path = tmp_path / "restoration.safetensors"
    metadata = {"config": json.dumps(network.config.to_dict())}
    save_file({k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}, path, metadata)
    return path


def test_crops_of_any_size_come_back_in_order(checkpoint):
    restorer = FaceRestorer.from_pretrained("cpu", checkpoint)
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (s, s, 3), dtype=np.uint8) for s in (24, 32, 80)] * 4
    out = restorer.restore(crops, 0.5)
    assert [o.shape for o in out] == [c.shape for c in crops] and all(o.dtype == np.uint8 for o in out)
    alone = restorer.restore(crops[1:2], 0.5)[0]
    assert np.abs(alone.astype(int) - out[1]).max() <= 3  # a batch changes nothing but rounding


def test_detail_of_a_large_face_stays_where_nothing_was_mended(checkpoint):
    restorer = FaceRestorer.from_pretrained("cpu", checkpoint)
    restorer.network.generate = lambda batch, *_: batch
    crop = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    assert np.abs(restorer.restore([crop], 0.0)[0].astype(int) - crop).max() <= 1
    restorer.network.generate = lambda batch, *_: (batch + 30 / 255).clamp(0, 1)
    mended = restorer.restore([crop], 0.0)[0].astype(float)
    assert mended.std() < 0.7 * crop.std()  # the noise of a degraded face does not come back


def test_a_large_face_is_cleaned_at_its_own_size(checkpoint):
    restorer = FaceRestorer.from_pretrained("cpu", checkpoint)
    seen = []
    restorer.network.cleaner.register_forward_hook(lambda _, inputs, output: seen.append(output.shape[-1]))
    rng = np.random.default_rng(0)
    restorer.restore([rng.integers(0, 256, (s, s, 3), dtype=np.uint8) for s in (24, 96, 100, 1024)], 1.0)
    own = -(-100 // restorer.network.cleaner.stride) * restorer.network.cleaner.stride
    ways = [32], [32, 64, 96], [32, 64, own], [32, 64, 128, 256, 512]
    assert seen == [side for way in ways for side in way * 2 + way[-1:] * 2]  # each also mirrored, and without a guess


def test_only_what_changes_little_is_also_seen_without_a_guess(checkpoint):
    restorer = FaceRestorer.from_pretrained("cpu", checkpoint)
    cleaner, seen = restorer.network.cleaner, []
    cleaner.register_forward_hook(lambda _, inputs, output: seen.append(len(inputs)))
    crop = np.full((32, 32, 3), 100, np.uint8)
    for levels, guesses in ((20, [2, 2]), (0.5, [2, 2, 1, 1])):
        torch.nn.init.constant_(cleaner.coarse.to_pixels.bias, levels / 255)
        seen.clear()
        restorer.restore([crop], 1.0)
        assert seen == guesses


def test_texture_is_drawn_the_more_the_less_is_kept_and_never_at_full_fidelity(checkpoint):
    network = FaceRestorer.from_pretrained("cpu", checkpoint).network
    network.generate = lambda batch, *_: batch
    plain, textured = FaceRestorer(network), FaceRestorer(network, TextureSynthesis(TextureNetwork(TEXTURE_CONFIGS["tiny"])))
    crop = np.full((64, 64, 3), 120, np.uint8)
    spread = [textured.restore([crop], w)[0].std() for w in (1.0, 0.75, 0.5, 0.0)]
    assert spread[0] == 0 and plain.restore([crop], 0.0)[0].std() == 0
    assert 0.3 < spread[1] < spread[2] == spread[3] < 10
    again = textured.restore([crop], 0.5)[0]
    assert np.array_equal(again, textured.restore([crop], 0.5)[0])  # a photo restored twice is the same photo


def test_between_the_ends_both_faces_mix(checkpoint):
    restorer = FaceRestorer.from_pretrained("cpu", checkpoint)
    restorer.network.generate = lambda batch, *_: torch.zeros_like(batch)
    crop = np.full((32, 32, 3), 200, np.uint8)
    levels = [restorer.restore([crop], w)[0].mean() for w in (0.0, 0.25, 0.5, 1.0)]
    assert levels == pytest.approx([0, 50, 100, 200], abs=1)


@pytest.mark.parametrize("fidelity", [-0.1, 1.2])
def test_fidelity_out_of_range(checkpoint, fidelity):
    with pytest.raises(FaceReconError, match="between 0 and 1"):
        FaceRestorer.from_pretrained("cpu", checkpoint).restore([np.zeros((32, 32, 3), np.uint8)], fidelity)


def test_a_checkpoint_that_does_not_fit(tmp_path):
    path = tmp_path / "restoration.safetensors"
    save_file({"x": torch.zeros(2)}, path, {"config": json.dumps(CONFIGS["tiny"].to_dict())})
    with pytest.raises(FaceReconError, match="restoration.safetensors"):
        FaceRestorer.from_pretrained("cpu", path)


def test_an_unknown_device(checkpoint):
    with pytest.raises(FaceReconError, match="abacus"):
        FaceRestorer.from_pretrained("abacus", checkpoint)


def test_only_the_guided_face_is_invented_anew(checkpoint):
    restorer = FaceRestorer.from_pretrained("cpu", checkpoint)
    restorer.network.generate = lambda batch, w, condition: batch if condition is None else batch + condition[:, :1, None, None] * 0.2
    crops = [np.full((s, s, 3), 100, np.uint8) for s in (80, 32, 80)]
    people = [None, Demographics(age=80), None]
    plain, guided = restorer.restore(crops, 0.0), restorer.restore(crops, 0.0, people)
    assert [round(b.mean() - a.mean()) for a, b in zip(plain, guided)] == [0, 51, 0]
