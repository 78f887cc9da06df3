"""The shared loop descends, stops where it is told, and goes on as if it had not."""

from argparse import Namespace
from dataclasses import dataclass

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from train.checkpointing import whole_checkpoints
from train.loop import agreed, last_step, optimise, resume, reweighted
from train.precision import MasterAdamW


@dataclass
class Plan:
    steps: int = 300
    lr: float = 0.05


@dataclass(frozen=True)
class Shares:
    first: float = 1.0
    second: float = 2.0


def run(output, stop_at=None, again=None):
    torch.manual_seed(0)
    network, seen = nn.Linear(2, 1), []
    optimizer = MasterAdamW(network.parameters(), Plan.lr)
    args = Namespace(stop_at=stop_at, log_every=100, save_seconds=1e9)

    def losses(batch, step):
        seen.append(step)
        loss = (network(batch["inner"]["x"]) - batch["y"]).square().mean()
        return loss, {"error": loss.item()}

    first = resume(optimizer, output, again)
    rows = [{"inner": {"x": torch.randn(8, 2, generator=torch.Generator().manual_seed(i))}, "y": torch.ones(8, 1)} for i in range(300)]
    optimise(Accelerator(cpu=True), optimizer, Plan(), rows[first : last_step(Plan(), args)], losses, first, output, args)
    return network, seen


def test_it_descends_and_leaves_a_checkpoint(tmp_path):
    network, seen = run(tmp_path)
    assert seen == list(range(300)) and network.bias.item() == pytest.approx(1, abs=0.5)
    assert [p.name for p in whole_checkpoints(tmp_path)] == ["step_00000300"]


def test_stopped_and_resumed_is_as_run_through(tmp_path):
    straight, _ = run(tmp_path / "straight")
    run(tmp_path / "broken", stop_at=110)
    resumed, seen = run(tmp_path / "broken", again="latest")
    assert seen[0] == 110 and torch.equal(straight.weight, resumed.weight)


def test_weights_of_losses_are_changed_by_name_and_a_slip_is_told():
    changed = reweighted(Shares(), Namespace(weights=["second=0.5"]))
    assert changed == Shares(1.0, 0.5)
    for slip in ("third=1", "first", "first=much"):
        with pytest.raises(SystemExit, match="first, second"):
            reweighted(Shares(), Namespace(weights=[slip]))


def test_processes_agree_on_the_clock():
    class Two:
        num_processes, device = 2, "cpu"

        def reduce(self, value, how):
            assert how == "mean"
            return (value + torch.tensor(12.0)) / 2  # the other process's clock says 12

    assert agreed(Two(), 10.0) == 11.0
    assert agreed(Accelerator(cpu=True), 10.0) == 10.0
