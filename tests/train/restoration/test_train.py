"""A stage killed and resumed gives the same network as one left alone."""

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from train.checkpointing import whole_checkpoints
from train.restoration.config import STAGES
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
    with pytest.raises(FileNotFoundError, match="no images"):
        run(tmp_path, tmp_path, "codebook")
