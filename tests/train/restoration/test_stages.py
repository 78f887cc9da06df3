"""The codebook follows the features of all processes, and stays one and the same."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from accelerate import Accelerator

from facerecon.restoration.autoencoder import CodebookAutoencoder
from facerecon.restoration.configuration import CONFIGS
from tests.train.launching import in_two_processes
from train.restoration.config import SCHEDULES
from train.restoration.stages import Stage
from train.restoration.train import half

STEPS = 3


def crops(rank, step):
    """Dark ones for the first process, light ones for the second."""
    noise = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2 * step + rank))
    return 0.5 * noise + 0.5 * rank


def train_codebook(rank, folder):
    """Steps of stage I in one of two processes; keeps the codebook before and after what is shared in the last step."""
    accelerator = Accelerator(cpu=True)
    torch.manual_seed(0)
    network = half(CodebookAutoencoder(CONFIGS["tiny"])).train()
    stage = Stage("codebook", network, SCHEDULES["tiny"]["codebook"], None, accelerator)
    torch.manual_seed(rank)  # codes that nothing uses begin anew at features that are drawn
    own, share = {}, stage._share_codes

    def watched():
        own.update({name: value.clone() for name, value in network.codebook.state_dict().items()})
        share()

    stage._share_codes = watched
    for step in range(STEPS):
        clean = crops(rank, step)
        stage.step(step, clean, clean, torch.zeros(2, 1))
    torch.save({"own": own, "shared": network.codebook.state_dict(), "weights": stage.optimizer.masters}, folder / f"{rank}.pt")


def test_processes_keep_one_codebook(tmp_path):
    in_two_processes(train_codebook, tmp_path)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    for name, value in first["shared"].items():
        assert torch.equal(value, second["shared"][name]), name
    assert not torch.equal(first["own"]["codes"], second["own"]["codes"])  # each had seen other features
    for name in ("usage", "sums"):
        torch.testing.assert_close(first["shared"][name], (first["own"][name] + second["own"][name]) / 2)
    torch.testing.assert_close(first["shared"]["codes"], F.normalize(first["shared"]["sums"], dim=1))
    assert all(torch.equal(a, b) for a, b in zip(first["weights"], second["weights"], strict=True))
