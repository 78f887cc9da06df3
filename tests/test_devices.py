"""Choosing a device by name."""

import pytest
import torch

from facerecon.devices import fast_dtype, resolve_device
from facerecon.types import FaceReconError


def test_auto_is_always_there():
    device = resolve_device("auto")
    torch.zeros(1, device=device, dtype=fast_dtype(device))


def test_cpu_by_name():
    assert resolve_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["abacus", f"cuda:{torch.cuda.device_count()}"])
def test_a_device_that_is_not_there(name):
    with pytest.raises(FaceReconError, match=name):
        resolve_device(name)
