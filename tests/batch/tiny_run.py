"""The real command line with stand-ins for the networks: ``python -m tests.batch.tiny_run run INPUT -o OUT``."""

from __future__ import annotations

import sys
import time

import batch.main
from facerecon.head.model import HeadModel
from facerecon.pipeline import FaceReconstructor
from tests.fakes import FakeDetector, FakeReconstructor, FakeRestorer


class SlowRestorer(FakeRestorer):
    """Leaves time to be killed in."""

    def restore(self, crops, fidelity=0.7):
        time.sleep(0.03)
        return super().restore(crops, fidelity)


def make_reconstructor(device: str, settings: object) -> FaceReconstructor:
    head = HeadModel.from_pretrained()
    return FaceReconstructor(FakeDetector(), SlowRestorer(), FakeReconstructor(head), head)


def main(arguments: list[str]) -> None:
    """The command line."""
    batch.main.make_reconstructor = make_reconstructor
    batch.main.app(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
