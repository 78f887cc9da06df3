"""The ONNX file is the same network."""

import numpy as np
import pytest
import torch

from facerecon.restoration import CONFIGS, CodeFormer, FaceRestorer
from facerecon.types import FaceReconError

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from facerecon.restoration.onnx import OnnxFaceRestorer, export_onnx, largest_difference  # noqa: E402


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = CodeFormer(CONFIGS["tiny"]).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    return network


def test_onnx_gives_what_torch_gives(network, tmp_path):
    path = export_onnx(network, tmp_path / "restoration.onnx")
    assert largest_difference(network, path) < 0.1
    crops = [np.random.default_rng(0).integers(60, 190, (32, 32, 3), dtype=np.uint8) for _ in range(2)]
    for a, b in zip(FaceRestorer(network).restore(crops, 0.0), OnnxFaceRestorer(path).restore(crops, 0.0)):
        assert np.abs(a.astype(int) - b).max() <= 1  # above fidelity 0 torch looks twice, the second time mirrored
    large = np.tile(crops[0], (3, 3, 1))
    assert OnnxFaceRestorer(path).restore([large], 0.6)[0].shape == large.shape


def test_a_file_that_is_no_network(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"nothing")
    with pytest.raises(FaceReconError, match="x.onnx"):
        OnnxFaceRestorer(tmp_path / "x.onnx")
