"""Callbacks of options: a word that no run could follow is refused before anything is begun.

What only a machine can say (whether a package or a GPU is there) is left to the one that does the work.
"""

from __future__ import annotations

import re

import typer

from facerecon.faces.detect import DEEPFACE, DETECTORS

ENGINES = ("local", "ray")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def check_detector(name: str) -> str:
    """Of ``--face-detector``."""
    if name in DETECTORS:
        return name
    if not name.startswith(DEEPFACE):
        raise typer.BadParameter(f"{name!r} is none of {', '.join(DETECTORS)}, or {DEEPFACE}BACKEND.")
    from facerecon.faces.deepface import BACKENDS

    if name.removeprefix(DEEPFACE) not in BACKENDS:
        raise typer.BadParameter(f"DeepFace's backends are {', '.join(BACKENDS)}; {name!r} names none of them.")
    return name


def check_threshold(value: float | None) -> float | None:
    """Of ``--detection-threshold``: at 0 everything would be a face, at 1 nothing."""
    if value is not None and not 0 < value < 1:
        raise typer.BadParameter(f"{value:g} does not lie between 0 and 1.")
    return value


def check_device(name: str) -> str:
    """Of ``--device``; whether it is there is asked of torch by whoever uses it."""
    if not _DEVICE.fullmatch(name):
        raise typer.BadParameter(f"{name!r} is none of auto, cpu, cuda or cuda:N.")
    return name


def check_engine(name: str) -> str:
    """Of ``--engine``."""
    if name not in ENGINES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(ENGINES)}.")
    return name
