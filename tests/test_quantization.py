"""Small files hold nearly the same numbers."""

import pytest
import torch

from facerecon.quantization import compress, expand, pack, unpack


@pytest.mark.parametrize("shape", [(1,), (7, 3), (5, 3, 3, 3), (4, 4)])
def test_packed_numbers_come_back(shape):
    values = torch.randint(-31, 32, shape).to(torch.int8)
    packed = pack(values)
    assert packed.dtype == torch.uint8 and len(packed) == -(-values.numel() // 4) * 3
    assert torch.equal(unpack(packed, shape), values)


def test_a_state_comes_back_within_half_a_step_and_coarse_parts_are_smaller():
    torch.manual_seed(0)
    state = {
        "fine.weight": torch.randn(6, 5, 3, 3), "coarse.weight": torch.randn(6, 5, 3, 3) * 0.01, "coarse.matrix": torch.randn(9, 7),
        "fine.bias": torch.randn(6), "steps": torch.tensor(7),
    }  # fmt: skip
    stored = compress(state, ("coarse.",))
    back = expand(stored)
    assert back.keys() == state.keys() and back["steps"] == 7
    for name, steps in (("fine.weight", 127), ("coarse.weight", 31), ("coarse.matrix", 31)):
        limit = state[name].abs().amax(tuple(range(1, state[name].ndim)), keepdim=True) / steps / 2
        assert ((back[name] - state[name]).abs() <= limit * 1.001).all(), name
    assert stored["coarse.weight"].numel() < 0.76 * stored["fine.weight"].numel()
