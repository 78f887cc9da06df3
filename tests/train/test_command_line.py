"""Commands of ``train``: what a user can mend is said in one sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from facerecon.types import FaceReconError
from train.command_line import STOPPED, command

ROOT = Path(__file__).parents[2]
JUDGES = ROOT / "train/restoration/judges.py"


def ended(main) -> object:
    with pytest.raises(SystemExit) as end:
        command(main)
    return end.value.code


def test_errors_with_a_sentence_end_with_it(tmp_path):
    def refuse():
        raise FaceReconError("That is no face.")

    def interrupt():
        raise KeyboardInterrupt

    assert command(lambda: 5) == 5
    assert ended(refuse) == "That is no face." and ended(interrupt) == STOPPED
    assert f"There is no {tmp_path}/labels.npz" in str(ended(lambda: np.load(tmp_path / "labels.npz")))
    assert f"There is no {tmp_path}/a.safetensors: look" in str(ended(lambda: load_file(tmp_path / "a.safetensors")))
    with pytest.raises(ZeroDivisionError):  # a fault of ours keeps its traceback
        command(lambda: 1 / 0)


def test_every_command_ends_so():
    commands = [file for file in (ROOT / "train").rglob("*.py") if "__main__" in file.read_text() and file != JUDGES]
    assert len(commands) > 50
    assert [file for file in commands if not re.search(r"__main__.*\n.*command\(", file.read_text(), re.DOTALL)] == []


def test_the_judges_need_nothing_of_the_project(tmp_path):
    """Another Python runs them, from anywhere, that lacks what the project needs."""
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run([sys.executable, str(JUDGES), str(tmp_path)], cwd=tmp_path, env=bare, capture_output=True, text=True)
    assert "photos.json" in ran.stderr and "ModuleNotFoundError" not in ran.stderr


def test_an_empty_folder_of_photos_is_one_sentence(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "train.detail.train", "--data", str(tmp_path), "--config", "tiny", "--output", str(tmp_path / "out")],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 1 and ran.stderr.strip().splitlines()[-1].startswith("There are no unwrapped faces")
    assert "Traceback" not in ran.stderr
