"""The real ``video`` command with stand-ins for the networks: ``python -m tests.batch.tiny_video VIDEO -o OUT``."""

from __future__ import annotations

import sys

import batch.main
import batch.video_run
from tests.video.clips import make_pipeline


def make_parts(work: batch.video_run.Work):
    return make_pipeline(slow=True), None, {"facerecon": "test"}


def main(arguments: list[str]) -> None:
    """The command line."""
    batch.video_run.make_parts = make_parts
    batch.main.app(["video", *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
