"""Opens the demo page: ``python app.py``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from facerecon.faces.detect import DEFAULT, create_detector
from facerecon.pipeline import FaceReconstructor
from facerecon.types import FaceReconError
from facerecon.ui.limits import LargestFaces
from facerecon.ui.page import build_page, launch_options

EXAMPLES = Path(__file__).parent / "examples"


def main() -> int:
    """Loads the networks, then serves the page until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=None, help="127.0.0.1 by default; 0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=int, default=None, help="the first free one from 7860 by default")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--face-detector", default=DEFAULT, help="facerecon, mtcnn or deepface:BACKEND")
    parser.add_argument("--share", action="store_true", help="a public link by gradio")
    options = parser.parse_args()
    try:
        detector = create_detector(options.face_detector, refine=True, device=options.device)
        pipeline = FaceReconstructor(LargestFaces(detector), device=options.device)
        pipeline.load()
    except FaceReconError as error:
        print(error, file=sys.stderr)
        return 1
    page = build_page(pipeline, EXAMPLES, welcome=True)
    try:
        page.launch(server_name=options.host, server_port=options.port, share=options.share, **launch_options())
    except (OSError, OverflowError, ValueError) as error:  # the port is taken, or there is no such host or port
        print(f"The page cannot be served: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
