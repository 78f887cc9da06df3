"""The shared loop descends, stops where it is told, and goes on as if it had not, in one process and in two."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from facerecon.types import FaceReconError
from tests.train.launching import in_two_processes
from train.checkpointing import save_checkpoint, whole_checkpoints
from train.loop import Run, add_options, configured, reweighted
from train.precision import MasterAdamW
from train.schedule import Schedule


@dataclass(frozen=True)
class Shares:
    first: float = 1.0
    second: float = 2.0


class Learner:
    """A line through rows of two numbers, which depend on their own number alone, with half of these hidden at random."""

    def __init__(self, output, *options, steps=300, rows=8, hidden=0.0, minutes=None):
        parser = ArgumentParser()
        add_options(parser, log_every=100)
        torch.manual_seed(0)
        self.hidden, self.rows, self.seen, self.line = hidden, rows, [], nn.Linear(2, 1)
        self.optimizer = MasterAdamW(self.line.parameters(), 0.05)
        schedule = Schedule(steps, lambda step, share: 0.05 * (1 - share), minutes)
        self.run = Run(Accelerator(cpu=True), output, schedule, {"optimizer": self.optimizer}, parser.parse_args(options))

    def learn(self, write=None):
        rank, ranks = self.run.place
        self.run.optimise((self.batch(step * ranks + rank) for step in range(self.run.first, self.run.last)), self.losses, write)
        return self.line.weight.detach()

    def batch(self, number):
        rows = [torch.randn(2, generator=torch.Generator().manual_seed(number * self.rows + i)) for i in range(self.rows)]
        return {"inner": {"x": torch.stack(rows)}, "pair": (torch.ones(self.rows, 1), torch.tensor(number))}

    def losses(self, batch, step):
        self.seen.append(int(batch["pair"][1]))
        loss = (self.line(nn.functional.dropout(batch["inner"]["x"], self.hidden)) - batch["pair"][0]).square().mean()
        return loss, {"error": loss}


def test_it_descends_and_leaves_a_checkpoint(tmp_path):
    learner = Learner(tmp_path)
    learner.learn()
    assert learner.seen == list(range(300)) and learner.line.bias.item() == pytest.approx(1, abs=0.5)
    assert [p.name for p in whole_checkpoints(tmp_path)] == ["step_00000300"]


def test_stopped_and_resumed_is_as_run_through(tmp_path):
    straight = Learner(tmp_path / "straight", hidden=0.5).learn()
    Learner(tmp_path / "broken", "--stop-at", "110", hidden=0.5).learn()
    resumed = Learner(tmp_path / "broken", "--resume", "latest", hidden=0.5)
    assert torch.equal(straight, resumed.learn()) and resumed.seen[0] == 110


def test_what_follows_a_checkpoint_is_written_with_each(tmp_path):
    learner, written = Learner(tmp_path, "--save-seconds", "0", steps=3), []
    learner.learn(lambda: written.append((learner.run.done, whole_checkpoints(tmp_path)[-1].name)))
    assert written == [(1, "step_00000001"), (2, "step_00000002"), (3, "step_00000003"), (3, "step_00000003")]


def test_the_clock_ends_a_run_and_stands_still_between_its_parts(tmp_path):
    Learner(tmp_path, "--stop-at", "5", minutes=1000).learn()
    path = whole_checkpoints(tmp_path)[-1] / "state.pt"
    state = torch.load(path, weights_only=False)
    assert 0 < state["seconds"] < 60
    torch.save({**state, "seconds": 500.0}, path)
    learner = Learner(tmp_path, "--resume", "latest", minutes=8)  # of which 500 seconds are more
    learner.learn()
    assert learner.seen == [] and learner.run.done == 5
    state = torch.load(path, weights_only=False)
    assert 500 < state["seconds"] < 560 and state["step"] == 5


def test_another_runs_checkpoints_are_refused(tmp_path):
    Learner(tmp_path / "a", "--stop-at", "2").learn()
    with pytest.raises(FaceReconError, match="earlier run: go on with --resume latest"):
        Learner(tmp_path / "a")
    save_checkpoint(tmp_path / "b", 2, {"network": {}})
    with pytest.raises(FaceReconError, match="another kind of run: it holds no optimizer"):
        Learner(tmp_path / "b", "--resume", "latest")


def learn_together(rank, folder):
    """In each of two processes: a run, and the same with a stop; then one that can be compared with one process."""
    straight = Learner(folder / "straight", steps=6, hidden=0.5)
    weights = straight.learn()
    Learner(folder / "broken", "--stop-at", "3", steps=6, hidden=0.5).learn()
    resumed = Learner(folder / "broken", "--resume", "latest", steps=6, hidden=0.5).learn()
    draw = torch.rand(1)
    plain = Learner(folder / "plain", steps=6).learn()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "seconds", 40.0 * rank)  # rates follow the clock, and would differ
        clocked = Learner(folder / "clocked", steps=6, minutes=1).learn()
    told = {"weights": weights, "resumed": resumed, "plain": plain, "clocked": clocked, "seen": straight.seen, "draw": draw}
    torch.save(told, folder / f"{rank}.pt")


def test_two_processes_keep_the_same_weights_and_resume(tmp_path):
    in_two_processes(learn_together, tmp_path)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert first["seen"] == [0, 2, 4, 6, 8, 10] and second["seen"] == [1, 3, 5, 7, 9, 11]
    assert not torch.equal(first["draw"], second["draw"])  # what is hidden differs
    for name in ("weights", "resumed", "plain", "clocked"):
        assert torch.equal(first[name], second[name]), name
    assert torch.equal(first["weights"], first["resumed"])
    alone = Learner(tmp_path / "alone", steps=6, rows=16).learn()  # one process that sees the rows of both
    torch.testing.assert_close(first["plain"], alone)
    assert len(list((tmp_path / "plain" / "events").iterdir())) == 1  # one of them writes


def test_weights_of_losses_are_changed_by_name_and_a_slip_is_told():
    changed = reweighted(Shares(), Namespace(weights=["second=0.5"]))
    assert changed == Shares(1.0, 0.5)
    for slip in ("third=1", "first", "first=much"):
        with pytest.raises(SystemExit, match="first, second"):
            reweighted(Shares(), Namespace(weights=[slip]))


def test_options_that_are_given_change_a_config():
    assert configured(Shares(), Namespace(second=0.0, first=None, other=3)) == Shares(1.0, 0.0)
