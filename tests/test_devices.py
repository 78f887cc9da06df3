"""Choosing a device by name."""

import copy

import numpy as np
import pytest
import scipy.linalg  # noqa: F401, for its BLAS
import torch
from threadpoolctl import threadpool_limits, threadpool_info
from torch import nn

from facerecon.devices import fast_dtype, leave_cores_to_torch, resolve_device, to_fast
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


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="needs a machine without an Apple GPU")
def test_an_apple_gpu_that_is_not_there():
    with pytest.raises(FaceReconError, match="no Apple GPU"):
        resolve_device("mps")


def test_a_fast_network_says_the_same_at_all_sizes_and_can_be_copied_and_cast():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, stride=2, padding=1, groups=2))
    fast = to_fast(copy.deepcopy(plain), torch.device("cpu"), torch.bfloat16)
    plain = plain.to(torch.bfloat16)
    with torch.inference_mode():
        for size in (32, 9, 64):
            picture = torch.randn(2, 3, size, size).bfloat16()
            assert torch.allclose(fast(picture), plain(picture), atol=0.02)
        assert torch.equal(copy.deepcopy(fast)(picture), fast(picture))
        assert torch.allclose(copy.deepcopy(fast).float()(picture.float()), plain.float()(picture.float()))


def test_weights_are_ordered_once_for_every_shape_and_not_for_ever():
    layer = to_fast(nn.Conv2d(3, 8, 3, padding=1), torch.device("cpu"), torch.bfloat16)
    if type(layer) is nn.Conv2d:
        pytest.skip("this torch cannot order weights")
    with torch.inference_mode():
        for _ in range(3):
            for size in (16, 32):
                layer(torch.ones(1, 3, size, size).bfloat16())
        kept = dict(layer._ordered)
        assert [shape[-1] for shape in kept] == [16, 32]
        layer(torch.ones(1, 3, 16, 16).bfloat16())
        assert all(layer._ordered[shape] is weights for shape, weights in kept.items())
        for size in range(33, 60):
            layer(torch.ones(1, 3, size, size).bfloat16())
        assert len(layer._ordered) < 12 and 59 in {shape[-1] for shape in layer._ordered}


@pytest.mark.parametrize("unit", ["_is_amx_tile_supported", "_is_avx512_bf16_supported"])
def test_processors_that_multiply_bfloat16_do_so(unit, monkeypatch):
    for probe in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda: False, raising=False)
    assert fast_dtype(torch.device("cpu")) == torch.float32
    monkeypatch.setattr(torch.cpu, unit, lambda: True, raising=False)
    assert fast_dtype(torch.device("cpu")) == torch.bfloat16


def test_a_torch_that_does_not_know_the_probes_takes_float32(monkeypatch):
    for probe in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.delattr(torch.cpu, probe, raising=False)
    assert fast_dtype(torch.device("cpu")) == torch.float32


def test_a_fast_network_still_has_gradients():
    fast = to_fast(nn.Conv2d(3, 8, 3), torch.device("cpu"), torch.bfloat16)
    fast(torch.ones(1, 3, 8, 8).bfloat16()).sum().backward()
    assert fast.weight.grad.abs().sum() > 0


def test_numpys_threads_leave_the_cores_alone():
    np.ones((2, 2)) @ np.ones((2, 2))
    threadpool_limits(2, user_api="blas")
    leave_cores_to_torch.cache_clear()
    leave_cores_to_torch()
    assert {b["num_threads"] for b in threadpool_info() if b["internal_api"] == "openblas" and b["threading_layer"] == "pthreads"} == {1}
