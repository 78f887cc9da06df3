"""The real command line with stand-ins for the networks: ``python -m tests.batch.tiny_run run INPUT -o OUT``."""

from __future__ import annotations

import os
import signal
import sys
import time

import batch.main
import batch.photo_task
from facerecon.head.model import HeadModel
from facerecon.pipeline import FaceReconstructor
from tests.fakes import FakeDetector, FakeReconstructor, FakeRestorer


class SlowRestorer(FakeRestorer):
    """Leaves time to be killed in; a white face kills the process."""

    def restore(self, crops, fidelity=0.7, people=None):
        time.sleep(0.02 * len(crops))
        if any(crop.min() == 255 for crop in crops):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().restore(crops, fidelity, people)


def make_reconstructor(device: str, settings: object) -> FaceReconstructor:
    head = HeadModel.from_pretrained()
    return FaceReconstructor(FakeDetector(), SlowRestorer(), FakeReconstructor(head), head)


def main(arguments: list[str]) -> None:
    """The command line."""
    batch.photo_task.make_reconstructor = make_reconstructor
    batch.main.app(arguments)


if __name__ == "__main__":
    from tests.batch import tiny_run  # so that workers find the stand-ins by this name

    tiny_run.main(sys.argv[1:])
