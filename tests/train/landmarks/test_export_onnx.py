from __future__ import annotations

import pytest
import torch

from facerecon.faces.landmark_network import LandmarkerConfig, LandmarkerNetwork
from train.landmarks.export_onnx import SAME, export_onnx, largest_difference


def test_the_onnx_file_says_what_the_network_says(tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    config = LandmarkerConfig(image_size=32, channels=(32, 32, 32), blocks=(1, 1, 1, 1), reduced=8, features=16)
    network = LandmarkerNetwork(config).eval()
    path = export_onnx(network, tmp_path / "landmarker.onnx")
    assert largest_difference(network, path, count=3) < SAME
    torch.nn.init.normal_(network.whole.bias)
    assert largest_difference(network, path, count=3) > SAME
