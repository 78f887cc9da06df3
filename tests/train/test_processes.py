"""Processes of a run agree on the clock, draw random numbers of their own, and hand batches to their device."""

import torch
from accelerate import Accelerator

from train.processes import agreed, draw_apart, to_device


class Second:
    """The second of two processes; the other one's clock says 12."""

    num_processes, process_index, device = 2, 1, "cpu"

    def reduce(self, value, how):
        assert how == "mean"
        return (value + torch.tensor(12.0)) / 2


def test_processes_agree_on_the_clock():
    assert agreed(Second(), 10.0) == 11.0
    assert agreed(Accelerator(cpu=True), 10.0) == 10.0


def test_all_but_the_first_draw_what_step_and_seed_say():
    def draw(accelerator, seed, step):
        torch.manual_seed(5)
        draw_apart(accelerator, seed, step)
        return torch.rand(1).item()

    first = draw(Accelerator(cpu=True), 0, 0)
    assert first == draw(Accelerator(cpu=True), 1, 2)  # goes on with its own
    drawn = [draw(Second(), *at) for at in ((0, 0), (0, 1), (1, 0))]
    assert len({first, *drawn}) == 4 and draw(Second(), 0, 1) == drawn[1]


def test_all_tensors_of_a_batch_go_to_the_device():
    batch = {"inner": (torch.zeros(1), [torch.ones(2)])}
    moved = to_device(batch, torch.device("meta"))
    assert moved["inner"][0].is_meta and moved["inner"][1][0].is_meta
