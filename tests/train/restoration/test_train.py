"""A stage killed and resumed gives the same network as one left alone."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from facerecon.types import FaceReconError
from tests.train.launching import in_two_processes
from train.checkpointing import whole_checkpoints
from train.restoration.config import STAGES
from train.restoration.data import CleanFaces, PairDataset
from train.restoration.train import parse, train


@pytest.fixture
def faces(tmp_path):
    folder = tmp_path / "faces"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        picture = cv2.resize(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), (48, 48), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{i}.png"), picture)
    return folder


def run(faces, output, stage, *more):
    common = ["--stage", stage, "--data", str(faces), "--config", "tiny", "--output", str(output)]
    train(parse([*common, "--workers", "0", "--sample-every", "100", *more]))


def test_stages_follow_each_other_and_resume_exactly(faces, tmp_path):
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    for stage in STAGES:
        run(faces, straight, stage)
        run(faces, broken, stage, "--stop-at", "3")
        run(faces, broken, stage, "--resume", "latest")
        a, b = (load_file(p / "tiny-weights" / f"{stage}.safetensors") for p in (straight, broken))
        assert a.keys() == b.keys()
        for name in a:
            assert torch.equal(a[name], b[name]), name


def test_half_written_checkpoints_are_not_taken(faces, tmp_path):
    run(faces, tmp_path, "codebook", "--stop-at", "2")
    folder = tmp_path / "tiny-codebook"
    (folder / "step_00000009").mkdir()
    (folder / ".step_00000010.77").mkdir()
    assert [p.name for p in whole_checkpoints(folder)] == ["step_00000002"]


def test_no_images(tmp_path):
    with pytest.raises(FaceReconError, match="no images to train on in .*: it holds neither faces nor one of utkface_sharp.tar"):
        run(tmp_path, tmp_path, "codebook")


@pytest.mark.parametrize("stage, before", [("cleaner", "coarse"), ("transformer", "codebook"), ("fidelity", "transformer"), ("texture", "cleaner")])
def test_a_stage_names_the_one_that_is_to_be_trained_before(faces, tmp_path, stage, before):
    with pytest.raises(FaceReconError, match=f"There is no .*: train --stage {before} first"):
        run(faces, tmp_path, stage)


def test_processes_share_a_run(faces, tmp_path):
    # What Accelerate starts on machines of several GPUs; on a CPU it leaves that to MPI.
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "train.restoration.train"]
    given = ["--stage", "codebook", "--data", str(faces), "--config", "tiny", "--workers", "0", "--steps", "2", "--output"]
    run = subprocess.run([sys.executable, *command, *given, str(tmp_path / "two")], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    told = [line for line in run.stdout.splitlines() if line.startswith("0 of 2")]
    assert len(told) == 1  # one of them speaks
    subprocess.run([sys.executable, "-m", "train.restoration.train", *given, str(tmp_path / "one")], check=True)
    one, two = (load_file(tmp_path / run / "tiny-weights" / "codebook.safetensors") for run in ("one", "two"))
    assert any(not torch.equal(one[name], two[name]) for name in one)  # the other half of the pairs was seen as well
    assert torch.allclose(two["codebook.codes"].norm(dim=1), torch.ones(16), atol=1e-5)  # shared codes stay on the unit sphere


def test_processes_have_pairs_of_their_own(faces):
    pool = CleanFaces(faces, 32)
    alone = PairDataset(pool, 4, 1, (0, 2))
    shared = [PairDataset(pool, 2, 1, (0, 2), (rank, 2)) for rank in (0, 1)]
    places = {0: (0, 0), 1: (0, 1), 2: (1, 0), 3: (1, 1), 4: (0, 2), 7: (1, 3)}
    for number, (rank, place) in places.items():
        assert torch.equal(alone[number][1], shared[rank][place][1])


def train_with_a_stop(rank, faces, folder):
    """In one of two processes: stages that draw random numbers, straight and stopped."""
    for stage in ("coarse", "cleaner"):
        run(faces, folder / "straight", stage)
        run(faces, folder / "broken", stage, "--stop-at", "3")
        run(faces, folder / "broken", stage, "--resume", "latest")


def test_two_processes_resume_exactly(faces, tmp_path):
    in_two_processes(train_with_a_stop, faces, tmp_path)
    for stage in ("coarse", "cleaner"):
        straight, broken = (load_file(tmp_path / way / "tiny-weights" / f"{stage}.safetensors") for way in ("straight", "broken"))
        assert all(torch.equal(straight[name], broken[name]) for name in straight)
