from __future__ import annotations

import json
import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facerecon.faces.center import CenterDetector
from facerecon.faces.center_network import CenterConfig, CenterNetwork
from train.detector import export_onnx

TINY = CenterConfig(32, (32, 32, 32, 32), (1, 1, 1, 1), 32)


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Calls the command line on a tiny network; gives the ONNX file."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    weights, output = tmp_path / "detector.safetensors", tmp_path / "detector.onnx"
    save_file(CenterNetwork(TINY).state_dict(), weights, {"config": json.dumps(asdict(TINY))})
    monkeypatch.setattr(sys, "argv", ["export_onnx", "--weights", str(weights), "--output", str(output)])
    monkeypatch.setattr(export_onnx, "SHAPE", (64, 64, 3))

    def call():
        export_onnx.main()
        return weights, output

    return call


def test_the_onnx_file_says_what_the_network_says(command, capsys):
    weights, output = command()
    figures = json.loads(capsys.readouterr().out)
    assert figures["largest_difference"] < export_onnx.SAME and figures["torch_ms"] > 0 < figures["onnxruntime_ms"]
    photo = np.random.default_rng(1).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    torchs = CenterDetector(CenterDetector.from_pretrained(device="cpu", path=weights).network.float(), dtype=torch.float32)
    assert torch.allclose(export_onnx.OnnxCenterDetector(output).forward([photo], 64, 128), torchs.forward([photo], 64, 128), atol=0.1)


def test_a_file_that_says_something_else_is_refused(command, monkeypatch):
    write = export_onnx.export_onnx

    def another(network, path):
        torch.nn.init.normal_(network.predict.bias)
        write(network, path)
        torch.nn.init.zeros_(network.predict.bias)

    monkeypatch.setattr(export_onnx, "export_onnx", another)
    with pytest.raises(SystemExit, match="differs"):
        command()
