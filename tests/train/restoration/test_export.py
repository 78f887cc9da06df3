"""What the stages wrote becomes checkpoints that the restorer and the colouriser load."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from facerecon.restoration import CONFIGS, CodeFormer, FaceRestorer
from facerecon.restoration.cleaner import Cleaner
from facerecon.restoration.colouring import COLOUR_CONFIGS, Colouriser, ColourNetwork
from facerecon.restoration.texture import TEXTURE_CONFIGS, TextureNetwork, TextureSynthesis
from train.restoration.export import export


@pytest.fixture
def weights(tmp_path):
    """A folder as the stages leave it; the cleaner adds a tenth to every pixel."""
    torch.manual_seed(0)
    save_file(CodeFormer(CONFIGS["tiny"]).state_dict(), tmp_path / "fidelity.safetensors")
    cleaner = Cleaner(CONFIGS["tiny"])
    torch.nn.init.constant_(cleaner.to_pixels.bias, 0.1)
    save_file(cleaner.state_dict(), tmp_path / "cleaner.safetensors")
    return tmp_path


def test_the_cleaner_of_its_own_stage_is_shipped(weights, tmp_path):
    (path,) = export(weights, "tiny", tmp_path / "out")
    crop = np.full((32, 32, 3), 100, np.uint8)
    brighter = FaceRestorer.from_pretrained("cpu", path).restore([crop], 1.0)[0]
    assert brighter.mean() == pytest.approx(100 + 25.5, abs=1)


def test_colours_and_texture_come_along(weights, tmp_path):
    save_file(ColourNetwork(COLOUR_CONFIGS["tiny"]).state_dict(), weights / "colour.safetensors")
    save_file(TextureNetwork(TEXTURE_CONFIGS["tiny"]).state_dict(), weights / "texture.safetensors")
    _, colour, texture = export(weights, "tiny", tmp_path / "out")
    assert Colouriser.from_pretrained("cpu", colour).network.config == COLOUR_CONFIGS["tiny"]
    assert TextureSynthesis.from_pretrained("cpu", texture).network.config == TEXTURE_CONFIGS["tiny"]


def test_levels_of_the_cleaners_that_add_to_the_picture_keep_eight_bits(weights, tmp_path):
    (path,) = export(weights, "tiny", tmp_path / "out")
    with safe_open(path, "pt") as file:
        packed = {name.removesuffix(".shape") for name in file.keys() if name.endswith(".shape")}
        weighty = {name.removesuffix(".scale") for name in file.keys() if name.endswith(".scale")}
    last = len(CONFIGS["tiny"].cleaner_channels) - 1
    for part in ("cleaner.", "cleaner.coarse."):
        own = {name for name in weighty if name.startswith(part) and (part != "cleaner." or not name.startswith("cleaner.coarse."))}
        deepest = {name for name in own if name.startswith(f"{part}enter.{last}.")}
        assert deepest and own & packed == deepest < own
    assert any(name.startswith("decoder.") for name in packed)


def test_another_config_is_refused(weights, tmp_path):
    with pytest.raises(RuntimeError, match="size mismatch"):
        export(weights, "small", tmp_path / "out")
